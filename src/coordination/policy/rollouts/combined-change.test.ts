import { describe, expect, test } from 'vitest'
import type { DisruptionClass, TemplateChange } from '../../intent.ts'
import { permit } from '../testdata/question.ts'
import { combinedChange } from './combined-change.ts'

interface Wish {
  readonly who: string
  readonly class: DisruptionClass
  readonly change: TemplateChange | undefined
}

/** What comes of a rollout for the first with the others going along. */
function combined(...[first, ...others]: readonly [Wish, ...Wish[]]) {
  const of = ({ who, class: name, change }: Wish) => ({ requester: who, class: name, change, idempotencyKey: `${who}-1` })
  const joined = others.map(
    wish => ({ ...of(wish), verb: 'restart', purpose: 'reload', reasons: [], relocation: undefined }) as const,
  )
  return combinedChange(permit({ ...of(first), joined }))
}

const annotated = (key: string, value: string): TemplateChange => ({ annotations: { [key]: value } })
const env = (name: string, value: string, container = 'main'): TemplateChange => ({ env: [{ container, name, value }] })
const sized = (cpu: string, container = 'main'): TemplateChange => ({ resources: [{ container, requests: { cpu } }] })
const reload = (change: TemplateChange | undefined): Wish => ({ who: 'reload', class: 'correctness', change })
const rightsize = (change: TemplateChange | undefined): Wish => ({ who: 'rightsize', class: 'cost', change })
const other = (change: TemplateChange | undefined): Wish => ({ who: 'other', class: 'cost', change })

describe('changes for different fields all go in', () => {
  // biome-ignore format: a table
  test.each<[string, readonly [Wish, ...Wish[]], TemplateChange | undefined]>([
    ['nobody changes anything',       [reload(undefined), rightsize(undefined)],                  undefined],
    ['an empty change is none',       [reload({ annotations: {}, env: [], resources: [] })],      undefined],
    ['one',                           [reload(annotated('a', '1'))],                              { annotations: { a: '1' } }],
    ['only who goes along',           [reload(undefined), rightsize(sized('1'))],                 { resources: [{ container: 'main', requests: { cpu: '1' } }] }],
    ['of each kind',                  [reload(annotated('a', '1')), rightsize(sized('1')), other(env('X', 'y'))], { annotations: { a: '1' }, env: [{ container: 'main', name: 'X', value: 'y' }], resources: [{ container: 'main', requests: { cpu: '1' } }] }],
    ['two annotations',               [reload(annotated('a', '1')), other(annotated('b', '2'))],  { annotations: { b: '2', a: '1' } }],
    ['one name in two containers',    [reload(env('X', '1')), other(env('X', '2', 'side'))],      { env: [{ container: 'side', name: 'X', value: '2' }, { container: 'main', name: 'X', value: '1' }] }],
    ['requests and limits',           [rightsize(sized('1')), other({ resources: [{ container: 'main', requests: { memory: '1Gi' }, limits: { cpu: '2' } }] })], { resources: [{ container: 'main', requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2' } }] }],
    ['the same twice',                [rightsize(sized('1')), other(sized('1'))],                 { resources: [{ container: 'main', requests: { cpu: '1' } }] }],
  ])('%s', (_name, wishes, expected) => expect(combined(...wishes)).toEqual({ change: expected, lost: [] }))
})

describe('where two want one field differently', () => {
  const lost = (requester: string, what: string, to: string) => [{ requester, idempotencyKey: `${requester}-1`, what, to }]
  // biome-ignore format: a table
  test.each<[string, readonly [Wish, ...Wish[]], TemplateChange, readonly object[]]>([
    ['the more urgent has it, who started it',  [reload(annotated('a', '1')), other(annotated('a', '2'))],    annotated('a', '1'),   lost('other', 'annotation a', 'reload')],
    ['the more urgent has it, who goes along',  [other(annotated('a', '2')), reload(annotated('a', '1'))],    annotated('a', '1'),   lost('other', 'annotation a', 'reload')],
    ['of one class the later has it',           [rightsize(sized('1')), other(sized('2'))],                   sized('2'),            lost('rightsize', 'requests cpu of main', 'other')],
    ['a variable',                              [reload(env('X', '1')), other(env('X', '2'))],                env('X', '1'),         lost('other', 'env X of main', 'reload')],
    ['three: all that lose are told',           [rightsize(sized('1')), other(sized('2')), reload(sized('3'))], sized('3'),          [...lost('rightsize', 'requests cpu of main', 'other'), ...lost('other', 'requests cpu of main', 'reload')]],
  ])('%s', (_name, wishes, change, expected) => expect(combined(...wishes)).toEqual({ change, lost: expected }))
})

test('names that mean something to JavaScript are names like others', () => {
  const hostile: TemplateChange = JSON.parse(
    '{"annotations": {"__proto__": "1", "constructor": "2"}, "resources": [{"container": "__proto__", "requests": {"__proto__": "1"}}]}',
  )
  const { change, lost } = combined(reload(hostile), rightsize(sized('1')))
  expect(lost).toEqual([])
  expect(Object.entries(change?.annotations ?? {})).toEqual([
    ['__proto__', '1'],
    ['constructor', '2'],
  ])
  expect(change?.resources?.map(({ container, requests }) => [container, Object.entries(requests ?? {})])).toEqual([
    ['main', [['cpu', '1']]],
    ['__proto__', [['__proto__', '1']]],
  ])
})
