import { expect, test } from 'vitest'
import { parseScopeSelector } from './scope-selector.ts'

test.each([
  ['F2 one selector with a set', 'k in (a,b)', 'k in (a,b)'],
  ['F2 a set and an equality', 'key in (a,b),x=y', 'key in (a,b),x=y'],
  ['the old form with a colon', 'env:prod', 'env=prod'],
  ['the old form for any value', 'env:*', 'env'],
  ['the same with an equals sign', 'env=*', 'env'],
  ['several elements', 'env:prod,team=*,tier!=db', 'env=prod,team,tier!=db'],
  ['nothing', '', ''],
  ['what follows a second colon is cut off', 'a:b:c', 'a=b'],
])('%s', (_, text, canonical) => {
  const parsed = parseScopeSelector(text)
  expect(parsed.ok && parsed.value.toString()).toBe(canonical)
})

test.each(['a=b:c', 'k in (a', '!!x', ':x', 'a b'])('%j is refused', text => {
  expect(parseScopeSelector(text)).toMatchObject({ ok: false, problem: { code: 'selector-syntax' } })
})
