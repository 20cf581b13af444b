import { expect, test } from 'vitest'
import { codesIn } from './error-codes.ts'
import { tableFaults } from './error-table.ts'

const maker = "export function refusal(code: string, where: string): Error { return new E([{ code, where, expected: 'y' }]) }"

// biome-ignore format: a table
test.each([
  // case                             text                                                                            codes
  ['a problem',                       "const a = { code: 'x-y', where, expected: 'z' }",                              ['problem x-y']],
  ['a finding',                       "const a = { code: 'x-y', field, found, expected }",                            ['finding x-y']],
  ['a reason',                        "const a = { code: 'x-y', message: 'because' }",                                ['reason x-y']],
  ['a choice',                        "const a = { code: b ? 'x' : c ? 'y' : 'z', where }",                           ['problem x', 'problem y', 'problem z']],
  ['a choice with a name',            "const code = b ? 'x' : 'y'; const a = { code, where }",                        ['problem x', 'problem y']],
  ['one of a table',                  "const t = { a: 'x', b: 'y' } as const; const a = { code: t[k], where }",       ['problem x', 'problem y']],
  ['what a maker is given',           `${maker} refusal('x-y', 'z')`,                                                 ['problem x-y']],
  ['a maker inside of a function',    "const f = () => { const no = (code: C) => ({ code, where }); return no('x') }", ['problem x']],
  ['one passed on',                   'const a = { code: other.code, where }',                                        []],
  ['a status of Kubernetes',          "const a = { code: 404, message: 'not found' }",                                []],
  ['what an exit has',                "const a = { code: 'x', signal }",                                              []],
])('finds the codes of %s', (_name, text, codes) =>
  expect(codesIn([['src/kube/a.ts', text]]).map(({ form, code }) => `${form} ${code}`)).toEqual(codes))

test('finds what a maker of another file is given, under the room that gives it', () =>
  expect(
    codesIn([
      ['src/kube/a.ts', maker],
      ['src/capabilities/deschedule/b.ts', "import { refusal as no } from '#kube/a.ts'\nno('x-y', 'z')"],
    ]),
  ).toEqual([{ code: 'x-y', form: 'problem', room: 'capabilities/deschedule' }]))

test('a code that cannot be read off the source is refused', () =>
  expect(() => codesIn([['src/kube/a.ts', 'const a = { code: made(), where }']])).toThrow(
    'src/kube/a.ts: a code that is neither',
  ))

test('a code without explanation and an explanation without code are both named', () =>
  expect(
    tableFaults([{ code: 'new', form: 'problem', room: 'kube' }], { problem: { old: 'x' }, finding: {}, reason: { new: 'x' } }),
  ).toEqual([
    'problem new has no explanation',
    'problem old is explained and nothing uses it',
    'reason new is explained and nothing uses it',
  ]))
