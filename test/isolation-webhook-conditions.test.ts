// API servers and the webhook must agree on which pods need a toleration: the match conditions, as CEL, against the answer.
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { evaluateCel } from '#kube/cel/cel.ts'
import type { AdmissionRequest } from '#kube/server/admission.ts'
import { answerPodCreation, matchConditionsOf } from '../src/capabilities/isolate/toleration-webhook.ts'

const isolations = [
  { policy: 'a', taint: 'example.com/"core"', namespaces: ['argocd', 'kube-system'] },
  { policy: 'b', taint: 'storage', namespaces: ['kube-system', 'rook'] },
  { policy: 'c', taint: 'storage', namespaces: ['argocd'] },
]

const optional = <T>(values: readonly T[]) => fc.option(fc.constantFrom(...values), { nil: undefined })
const toleration = fc
  .record({
    key: optional(['example.com/"core"', 'storage', 'other', '']),
    operator: optional(['Exists', 'Equal', '']),
    value: optional(['x', '']),
    effect: optional(['NoSchedule', 'NoExecute', '']),
  })
  .map(fields => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)))
const spec = fc
  .record({ nodeName: optional(['n1', '']), tolerations: fc.option(fc.array(toleration, { maxLength: 3 }), { nil: undefined }) })
  .map(fields => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)))

test('a pod is sent to the webhook exactly where the webhook gives it something', () => {
  const conditions = matchConditionsOf(isolations)
  let sent = 0
  fc.assert(
    fc.property(fc.constantFrom('argocd', 'kube-system', 'rook', 'media'), spec, (namespace, fields) => {
      const request: AdmissionRequest = {
        uid: 'u',
        kind: { group: '', version: 'v1', kind: 'Pod' },
        resource: { group: '', version: 'v1', resource: 'pods' },
        operation: 'CREATE',
        namespace,
        userInfo: {},
        object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace }, spec: fields },
      }
      const outcomes = conditions.map(({ expression }) => evaluateCel(expression, { object: request.object, request }))
      expect(outcomes.filter(({ ok }) => !ok)).toEqual([])
      const isSent = outcomes.every(outcome => outcome.ok && outcome.value === true)
      if (isSent) sent++
      expect(isSent).toBe(answerPodCreation(request, isolations).kind === 'patched')
    }),
    { numRuns: 3_000 },
  )
  expect(sent).toBeGreaterThan(300)
})
