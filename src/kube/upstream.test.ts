// The value types held to Kubernetes' own libraries: their recorded answers to generated texts (testdata/upstream/record.go).

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseFieldSelector } from './objects/field-selector.ts'
import { parseLabelSelector } from './objects/selector.ts'
import type { Parsed } from './problem.ts'
import { parseCron } from './time/cron.ts'
import { formatDuration, parseDuration } from './time/duration.ts'
import { humanDuration, shortHumanDuration } from './time/human-duration.ts'
import { formatTime } from './time/time.ts'
import { addQuantities, formatQuantity, milliValue, parseQuantity, quantity, wholeValue } from './values/quantity.ts'

type Row = readonly [question: readonly string[], answer: readonly string[]]

const rows: readonly Row[] = readFileSync(new URL('testdata/upstream/answers.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map(line => JSON.parse(line))

function or<T>(parsed: Parsed<T>, answer: (value: T) => readonly string[]): readonly string[] {
  return parsed.ok ? answer(parsed.value) : ['error', parsed.problem.message ?? '']
}

const answers: Readonly<Record<string, (text: string, ...rest: readonly string[]) => readonly string[]>> = {
  quantity: text =>
    or(parseQuantity(text), value => [formatQuantity(value), value.format, String(wholeValue(value)), String(milliValue(value))]),
  sum: (left, right = '') => {
    const sum = addQuantities(quantity(left), quantity(right))
    return [formatQuantity(sum), sum.format]
  },
  selector: (text, a = '') =>
    or(parseLabelSelector(text), selector => [String(selector), String(selector.matches({ a, b: '6' }))]),
  'field-selector': text => or(parseFieldSelector(text), selector => [String(selector)]),
  duration: text => or(parseDuration(text), nanos => [String(nanos), formatDuration(nanos)]),
  age: ms => [humanDuration(Number(ms)), shortHumanDuration(Number(ms))],
  cron: (text, zone = '', after = '') =>
    or(parseCron(text, { zone }), schedule => {
      const next = schedule.next(Date.parse(after))
      return [next === undefined ? 'never' : formatTime(next)]
    }),
}

/** Where we differ on purpose: sums upstream wraps at 2^63, negative fractions it rounds towards zero, sizes above 999E it prints without. */
function isDifferentOnPurpose([[kind, text = ''], answer]: Row): boolean {
  if (kind !== 'quantity' || answer[0] === 'error') return false
  const parsed = parseQuantity(text)
  if (!parsed.ok) return false
  const { nanos } = parsed.value
  return nanos < 0n || milliValue(parsed.value) >= 2n ** 63n
}

describe.each(Object.keys(answers))('%s', kind => {
  const asked = rows.filter(([question]) => question[0] === kind)

  test('as upstream answers', () => {
    const different = asked
      .filter(row => !isDifferentOnPurpose(row))
      .map(([question, upstream]) => ({ question, upstream, ours: answers[kind]?.(question[1] ?? '', ...question.slice(2)) }))
      .filter(({ upstream, ours }) => JSON.stringify(upstream) !== JSON.stringify(ours))
    expect(different).toEqual([])
  })

  test('on enough texts that are good', () => {
    const counted = asked.filter(row => row[1][0] !== 'error' && !isDifferentOnPurpose(row))
    expect(counted.length).toBeGreaterThan(25)
  })
})
