// Templates that are written to hurt: each is refused in bounded time, with words.

import { expect, test } from 'vitest'
import { runRule } from '../matching/rule.ts'
import { RuleFailure } from '../matching/rule-failure.ts'
import { readFeatures, readRule } from '../rules/read-rule.ts'

function failureOf(labelsTemplate: string): string {
  const features = readFeatures({ attributes: { 'a.b': { elements: { x: '1' } } } })
  try {
    runRule(readRule({ name: 'r', labelsTemplate, matchFeatures: [{ feature: 'a.b', matchExpressions: {} }] }), features)
  } catch (error) {
    if (error instanceof RuleFailure) return error.message
    throw error
  }
  return ''
}

test.each([
  ['a source that is too long', 'x'.repeat(65_537), 'a template of 65537 bytes; at most 65536 are read'],
  ['loops in loops', '{{ range 1000 }}{{ range 1000 }}{{ end }}{{ end }}', 'it takes more than 100000 steps'],
  ['a loop without an end that anybody sees', '{{ range 9223372036854775807 }}{{ end }}', 'it takes more than 100000 steps'],
  ['a flood of text', `{{ range 90000 }}${'y'.repeat(60)}{{ end }}`, 'it writes more than 1048576 characters'],
  ['a template that calls itself', '{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}', 'more than 100 deep'],
  ['blocks in blocks', `${'{{ if true }}'.repeat(201)}${'{{ end }}'.repeat(201)}`, 'more than 200 blocks'],
  ['parentheses in parentheses', `{{ ${'('.repeat(300)}1${')'.repeat(300)} }}`, 'more than 200 blocks'],
  ['a string that grows', '{{ repeat 1000000 "x" }}', 'a string of more than 65536 characters'],
  ['a list that grows', '{{ until 1000000 }}', 'a list of more than 10000 elements'],
  ['a width that grows', '{{ printf "%999999d" 1 }}', 'a width of 999999 is more than 4096'],
  ['a map in itself', '{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ $d }}', 'a map cannot be put into itself'],
  ['a function that knows the host', '{{ env "HOME" }}', 'function "env" not defined'],
  ['a function of chance', '{{ randAlpha 5 }}', 'function "randAlpha" not defined'],
])('%s', (_, template, words) => {
  expect(failureOf(template)).toContain(words)
})

test('a pattern that makes others backtrack for ever takes linear time', () => {
  const features = readFeatures({ attributes: { 'a.b': { elements: { x: `${'a'.repeat(5_000)}!` } } } })
  const rule = readRule({
    name: 'r',
    matchFeatures: [{ feature: 'a.b', matchExpressions: { x: { op: 'InRegexp', value: ['(a+)+$'] } } }],
  })
  expect(runRule(rule, features).matched).toBe(false)
})
