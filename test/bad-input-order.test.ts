// The order in which a real server walks a Go map counts in no comparison of its answers; what it says counts in each.
import { describe, expect, test } from 'vitest'
import { inOneOrder } from '#test/real/bad-input/any-order.ts'
import type { RecordedCase } from '#test/real/bad-input/case.ts'
import { differenceOf } from '#test/real/bad-input/differences.ts'

const nameRule =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const valueRule =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
/** What is said of the labels `a b: c d` and `e/: -`, label by label. */
const ofFirst = [`Invalid value: "a b": ${nameRule}`, `Invalid value: "c d": ${valueRule}`]
const ofSecond = [
  'Invalid value: "e/": name part must be non-empty',
  `Invalid value: "e/": ${nameRule}`,
  `Invalid value: "-": ${valueRule}`,
]

/** The answer to a ConfigMap with these labels, as the server writes it. */
function refused(causes: readonly string[], listed: readonly string[] = causes): RecordedCase {
  return {
    name: 'labels: several',
    request: 'POST /api/v1/namespaces/objects/configmaps',
    status: 422,
    headers: {},
    answer: {
      kind: 'Status',
      message: `ConfigMap "l" is invalid: [${listed.map(text => `metadata.labels: ${text}`).join(', ')}]`,
      details: { causes: causes.map(message => ({ reason: 'FieldValueInvalid', message, field: 'metadata.labels' })) },
      code: 422,
    },
  }
}

function warned(warnings: readonly string[]): RecordedCase {
  const warning = warnings.map(text => `299 - "${text}"`).join(', ')
  return {
    name: 'warned',
    request: 'PATCH /api/v1/namespaces/fields/configmaps/kept',
    status: 200,
    headers: { warning },
    answer: {},
  }
}

function undecoded(fields: readonly string[]): RecordedCase {
  const message = `error decoding patch: strict decoding error: ${fields.map(field => `unknown field "${field}"`).join(', ')}`
  return { name: 'undecoded', request: 'PATCH /api/v1/pods', status: 422, headers: {}, answer: { message } }
}

const recorded = refused([...ofFirst, ...ofSecond])
const [first = '', ...others] = ofSecond

describe('the same in another order', () => {
  test.each([
    ['label by label', recorded, refused([...ofSecond, ...ofFirst])],
    [
      'causes that are listed twice',
      refused([...ofFirst, ...ofSecond, ...ofFirst], [...ofFirst, ...ofSecond]),
      refused([...ofSecond, ...ofFirst, ...ofFirst], [...ofSecond, ...ofFirst]),
    ],
    [
      'warnings',
      warned(['unknown field \\"a, b\\"', 'fractional byte value']),
      warned(['fractional byte value', 'unknown field \\"a, b\\"']),
    ],
    ['unknown fields', undecoded(['foo', 'metadata.bar']), undecoded(['metadata.bar', 'foo'])],
  ])('%s', (_what, real, other) => {
    expect(inOneOrder(other)).toEqual(inOneOrder(real))
    expect(differenceOf('objects', real, other)).toBeUndefined()
  })
})

describe('another answer', () => {
  test.each([
    ['a cause is missing', recorded, refused([...others, ...ofFirst])],
    ['a cause is added', recorded, refused([...ofSecond, ...ofFirst, 'Invalid value: "x y": wrong'])],
    ['a cause has other words', recorded, refused([...ofFirst, `${first}!`, ...others])],
    ['the message lacks one of the causes', recorded, refused([...ofFirst, ...ofSecond], [...ofFirst, ...others])],
    [
      'the message has other words than the causes',
      recorded,
      refused([...ofFirst, ...ofSecond], [...ofFirst, `${first}!`, ...others]),
    ],
    ['a warning is missing', warned(['a', 'b']), warned(['b'])],
    ['a warning has other words', warned(['a', 'b']), warned(['b', 'A'])],
    ['an unknown field is missing', undecoded(['foo', 'metadata.bar']), undecoded(['metadata.bar'])],
  ])('%s', (_what, real, other) => {
    expect(inOneOrder(other)).not.toEqual(inOneOrder(real))
    expect(differenceOf('objects', real, other)).toBeDefined()
  })
})
