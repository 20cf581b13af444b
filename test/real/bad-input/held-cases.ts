// Objects that are held to the rules of their definition: what rules make of values, when they run.
import { widgetDefinition } from './definition-cases.ts'
import { casesOf, groupIn, sent } from './requests.ts'

const namespace = 'held'
const group = 'held.example.com'
const widgets = `/apis/${group}/v1/namespaces/${namespace}/widgets`

const text = { type: 'string', maxLength: 40 }
const properties = {
  which: { type: 'integer' },
  text,
  list: { type: 'array', maxItems: 5, items: text },
  map: { type: 'object', maxProperties: 5, additionalProperties: text },
  span: { type: 'string', format: 'duration' },
  when: { type: 'string', format: 'date-time' },
  day: { type: 'string', format: 'date' },
  'a.b': text,
  namespace: text,
  short: { ...text, 'x-kubernetes-validations': [{ rule: 'self.size() < 3' }] },
  few: {
    type: 'array',
    maxItems: 5,
    items: text,
    'x-kubernetes-validations': [{ rule: 'self.size() < 2', reason: 'FieldValueDuplicate', message: 'too many' }],
  },
  single: { ...text, 'x-kubernetes-validations': [{ rule: 'self != "a"', reason: 'FieldValueDuplicate' }] },
  either: { 'x-kubernetes-int-or-string': true, 'x-kubernetes-validations': [{ rule: 'self > 5' }] },
}

/** A rule a line, and the object that is held to it alone: what breaks it is said, what errs is said too. */
const rules: readonly (readonly [rule: string, spec: object])[] = [
  ['self.a__dot__b == "x" && self.__namespace__ == "y"', { 'a.b': 'x', namespace: 'y' }],
  ['self.a__dot__b == "x"', { 'a.b': 'y' }],
  ['self.a__dot__b == "x"', {}],
  ['!has(self.a__dot__b)', { 'a.b': 'y' }],
  ['self.span < duration("1h")', { span: '59m' }],
  ['self.span < duration("1h")', { span: '61m' }],
  ['self.when > timestamp("2024-01-01T00:00:00Z")', { when: '2024-01-01T01:00:00+02:00' }],
  ['self.when.getHours() == 23', { when: '2024-01-01T01:00:00+02:00' }],
  ['self.day.getDate() == 29', { day: '2024-02-29' }],
  ['self.when - self.day == self.span', { when: '2024-02-29T01:00:00Z', day: '2024-02-29', span: '1h' }],
  ['sets.contains(self.list, ["a"]) && self.list.sort()[0] == "a"', { list: ['b', 'a'] }],
  ['sets.equivalent(self.list, ["a"])', { list: ['b', 'a'] }],
  ['self.list.all(i, x, i == 0 || x != "b")', { list: ['b', 'b'] }],
  ['self.map.transformMap(k, v, v + k)["a"] == "1a"', { map: { a: '1' } }],
  ['self.?text.optMap(t, t.size()).orValue(0) == 3', { text: 'abc' }],
  ['self.?text.optMap(t, t.size()).orValue(0) == 3', {}],
  ['self.text.find("b+") == "bb" && self.text.findAll("[a-b]").size() == 3', { text: 'abbc' }],
  ['self.text.charAt(0) == "a" && self.text.lastIndexOf("b") == 2', { text: 'abbc' }],
  ['isIP(self.text)', { text: '::ffff:1.2.3.4' }],
  ['isIP(self.text)', { text: 'fe80::1%eth0' }],
  ['isIP(self.text) || isCIDR(self.text)', { text: '10.0.0.0/8' }],
  ['isURL(self.text)', { text: 'a b' }],
  ['isURL(self.text)', { text: '/a/b' }],
  ['isURL(self.text)', { text: 'mailto:a@b' }],
  ['ip.isCanonical(self.text)', { text: '0:0::1' }],
  ['self.list.slice(0, 1)[0] == "a" && self.list.first().hasValue()', { list: ['a', 'b'] }],
  ['lists.range(3).map(i, i * 2).sum() == 6', {}],
  ['self.list.map(x, [x]).flatten().distinct() == ["a"]', { list: ['a', 'a'] }],
  ['[?self.?text, "z"].size() == 1', { text: 'a' }],
  ['sign(quantity(self.text)) == 1', { text: '-1Gi' }],
  ['self.list[3] == "a"', { list: ['a'] }],
  ['self.map["z"] == "a"', { map: { a: 'b' } }],
  ['true', { short: 'abcd' }],
  ['true', { few: ['a', 'b'] }],
  ['true', { single: 'a' }],
  ['true', { either: 'a' }],
  ['true', { either: 3 }],
]

const definition = widgetDefinition(group, {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties,
      'x-kubernetes-validations': rules.map(([rule], index) => ({
        rule: `self.which != ${index} || (${rule})`,
        message: `rule ${index} does not hold`,
      })),
    },
  },
})

export const heldGroup = groupIn(namespace, {
  setUp: [sent('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition)],
  cases: casesOf(Object.fromEntries(rules.map(([rule, spec], which) => [`${which}: ${rule}`, { ...spec, which }])), spec =>
    sent('POST', widgets, {
      apiVersion: `${group}/v1`,
      kind: 'Widget',
      metadata: { name: `w${spec.which}` },
      spec,
    }),
  ),
})
