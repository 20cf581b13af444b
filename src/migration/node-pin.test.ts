import { expect, test } from 'vitest'
import { isPinned, pinned, unpinned } from './node-pin.ts'

const label = 'ballast.dev/mirror-swap'
const turn = { key: label, operator: 'NotIn', values: ['none', 'ballast'] }
const zone = { key: 'zone', operator: 'In', values: ['a'] }
const required = (...terms: readonly object[]) => ({
  nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
})
const preferred = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: {} }] }

test.each<[string, unknown, object]>([
  ['nothing said', undefined, required({ matchExpressions: [turn] })],
  ['one term', required({ matchExpressions: [zone] }), required({ matchExpressions: [zone, turn] })],
  [
    'several terms, of which any would do: each has to say it',
    required({ matchExpressions: [zone] }, { matchFields: [zone] }),
    required({ matchExpressions: [zone, turn] }, { matchFields: [zone], matchExpressions: [turn] }),
  ],
  [
    'what is preferred, and pods, stay',
    { nodeAffinity: preferred, podAffinity: { a: 1 } },
    { nodeAffinity: { ...preferred, ...required({ matchExpressions: [turn] }).nodeAffinity }, podAffinity: { a: 1 } },
  ],
])('%s', (_, before, after) => {
  expect(pinned(before, label)).toEqual(after)
  expect(pinned(after, label)).toEqual(after)
  expect([isPinned(before, label), isPinned(after, label)]).toEqual([false, true])
  expect(unpinned(after, label)).toEqual(before ?? {})
  expect(unpinned(before, label)).toEqual(before ?? {})
})
