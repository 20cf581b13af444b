import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { scalarText, yamlDocuments, yamlText } from './yaml-text.ts'

// biome-ignore format: a table
test.each([
  ['word', 'word'], ['a b', 'a b'], ['a-b/c.d_e', 'a-b/c.d_e'], ['v1', 'v1'], ['10m', '10m'], ['160Mi', '160Mi'],
  ['', '""'], ['y', '"y"'], ['No', '"No"'], ['on', '"on"'], ['true', '"true"'], ['null', '"null"'], ['~', '"~"'],
  ['0x1', '"0x1"'], ['1e3', '"1e3"'], ['08', '"08"'], ['0o7', '"0o7"'], ['1_000', '"1_000"'], ['1.5', '"1.5"'], ['.5', '".5"'], ['.inf', '".inf"'],
  ['12:30', '"12:30"'], ['12:30:45', '"12:30:45"'], ['2026-01-01', '"2026-01-01"'], ['=', '"="'], ['<<', '"<<"'],
  ['- a', '"- a"'], ['--flag', '"--flag"'], ['a: b', '"a: b"'], ['a #b', '"a #b"'], ['*', '"*"'], ['{x}', '"{x}"'], [' a', '" a"'], ['a ', '"a "'],
  ['é', '"é"'], ['a\tb', '"a\\tb"'],
])('%j is printed as %s', (text, printed) => expect(scalarText(text)).toBe(printed))

test.each([[3], [0.25], [true], [null]])('%j is printed as JSON has it', scalar =>
  expect(scalarText(scalar)).toBe(JSON.stringify(scalar)),
)

test('lists, maps, empty ones and long texts', () => {
  const value = { a: [], b: {}, c: [{ d: 1, e: [2, ['x']] }], f: 'one\n  two\n\nthree\n', g: 'no\nend' }
  expect(yamlText(value)).toBe(
    'a: []\nb: {}\nc:\n  - d: 1\n    e:\n      - 2\n      - - x\nf: |\n  one\n    two\n\n  three\ng: |-\n  no\n  end\n',
  )
  expect(parse(yamlText(value))).toEqual(value)
})

test('first what it is, then what it is called', () => {
  const object = {
    spec: { b: 1 },
    kind: 'K',
    data: {},
    apiVersion: 'v1',
    metadata: { labels: { z: '1' }, namespace: 'space', name: 'x' },
  }
  expect(yamlDocuments([object])).toBe(
    '---\napiVersion: v1\nkind: K\nmetadata:\n  name: x\n  namespace: space\n  labels:\n    z: "1"\nspec:\n  b: 1\ndata: {}\n',
  )
})

test('whatever is printed is read back as it was, by readers of YAML 1.1 and of 1.2', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('y', 'off', '1e3', 'e0', '-E+7', '08', '0x1', '1:2', 'a\n b\n', '\n', '<<', '~'),
  )
  const { tree } = fc.letrec(tie => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      text,
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(
        text.filter(key => key !== '__proto__'),
        tie('tree'),
        { maxKeys: 4 },
      ),
    ),
  }))
  fc.assert(
    fc.property(tree, value => {
      const printed = yamlText(value)
      for (const version of ['1.1', '1.2'] as const) expect(parse(printed, { version, merge: false })).toEqual(value)
    }),
    { numRuns: 500 },
  )
})
