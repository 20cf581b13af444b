import { expect, test } from 'vitest'
import {
  duplicate,
  fieldErrorsText,
  fieldErrorText,
  fieldPath,
  forbidden,
  goQuote,
  internalError,
  invalid,
  invalidObject,
  notFound,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from './field-error.ts'

test.each([
  [
    invalid(fieldPath('spec', 'scaleTargets', 0, 'labels', { key: 'a/b' }), 'x', 'must be y'),
    'spec.scaleTargets[0].labels[a/b]: Invalid value: "x": must be y',
  ],
  [required('spec', 'need'), 'spec: Required value: need'],
  [required('spec'), 'spec: Required value'],
  [notSupported('spec', 'z', ['a', 'b']), 'spec: Unsupported value: "z": supported values: "a", "b"'],
  [duplicate('spec', 'd'), 'spec: Duplicate value: "d"'],
  [forbidden('spec', 'no'), 'spec: Forbidden: no'],
  [tooLong('spec', 2), 'spec: Too long: may not be more than 2 bytes'],
  [tooMany('spec', 5, 3), 'spec: Too many: 5: must have at most 3 items'],
  [notFound('spec', 'q'), 'spec: Not found: "q"'],
  [internalError('spec', 'boom'), 'spec: Internal error: boom'],
  [typeInvalid('spec', { a: 1 }, 'no'), 'spec: Invalid value: {"a":1}: no'],
  [invalid('spec', null, 'no'), 'spec: Invalid value: null: no'],
  [invalid('spec', true, 'no'), 'spec: Invalid value: true: no'],
])('%o reads %s (kube-machinery case 13)', (error, text) => {
  expect(fieldErrorText(error)).toBe(text)
})

test('one error is bare, several are a list, none is told twice', () => {
  expect(fieldErrorsText([required('a')])).toBe('a: Required value')
  expect(fieldErrorsText([required('a'), required('b'), required('a')])).toBe('[a: Required value, b: Required value]')
})

test('an object with errors', () => {
  expect(invalidObject({ group: 'apps', kind: 'Deployment', name: 'web' }, [required('spec.selector')])).toEqual({
    message: 'Deployment.apps "web" is invalid: spec.selector: Required value',
    causes: [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.selector' }],
  })
  expect(invalidObject({ group: '', kind: 'Pod', name: 'a' }, [required('spec')]).message).toBe(
    'Pod "a" is invalid: spec: Required value',
  )
})

test.each([
  ['a"b\\', '"a\\"b\\\\"'],
  ['\n\t\x00\x7f', '"\\n\\t\\x00\\x7f"'],
  ['äµ€😀', '"äµ€😀"'],
  ['\u200b', '"\\u200b"'],
])('%j in quotes', (text, quoted) => {
  expect(goQuote(text)).toBe(quoted)
})
