// Functions of libraries, and names and loops that rules of definitions may use, evaluated.
import { expect, test } from 'vitest'
import { evaluateCel } from './cel.ts'

const self = {
  text: 'abcabc',
  list: ['b', 'a', 'b'],
  matrix: [[1], [2, 3]],
  map: { a: '1', b: '2' },
  'a.b': 'dot',
  'a-b/c': 'dash',
  namespace: 'space',
}

test.each<readonly [source: string, value: unknown]>([
  ['self.a__dot__b + self.a__dash__b__slash__c + self.__namespace__', 'dotdashspace'],
  ['has(self.a__dot__b) && !has(self.a__dot__c)', true],
  ['sets.contains(self.list, ["a"]) && sets.intersects(self.list, ["a", "z"]) && !sets.equivalent(self.list, ["a"])', true],
  ['lists.range(3)', [0, 1, 2]],
  ['self.list.reverse()', ['b', 'a', 'b']],
  ['self.list.distinct().sort()', ['a', 'b']],
  ['self.list.slice(1, 2)', ['a']],
  ['self.matrix.flatten()', [1, 2, 3]],
  ['self.list.first().orValue("") + self.list.last().value() + [].first().orValue("none")', 'bbnone'],
  ['self.list.lastIndexOf("b") + self.text.lastIndexOf("a")', 5],
  ['self.text.charAt(1) + self.text.find("c.") + self.text.findAll("b").join("")', 'bcabb'],
  ['self.text.findAll("b", 1)', ['b']],
  ['self.list.all(i, x, i < 3 && x != "c") && self.map.exists(k, v, k == "b" && v == "2")', true],
  ['self.list.transformList(i, x, i > 0, x)', ['a', 'b']],
  ['self.map.transformMap(k, v, v + k)', { a: '1a', b: '2b' }],
  ['self.map.transformMapEntry(k, v, {v: k})', { 1: 'a', 2: 'b' }],
  ['self.?text.optMap(t, t.size()).orValue(0)', 6],
  ['self.?nothing.optMap(t, t.size()).orValue(0)', 0],
  ['self.?text.optFlatMap(t, self.map[?t]).hasValue()', false],
  ['[?self.?text, ?self.?nothing]', ['abcabc']],
  ['{?"a": self.?nothing, "b": 1}', { b: 1 }],
  ['isIP("::1") && isIP("10.0.0.1") && !isIP("10.0.0.256") && isCIDR("10.0.0.0/8") && !isCIDR("10.0.0.0/33")', true],
  ['isURL("https://a.b/c") && isURL("/a") && !isURL("a b")', true],
  ['ip.isCanonical("::1") && !ip.isCanonical("0:0::1")', true],
  ['duration("1h30m") > duration("89m") && duration("90m") == duration("1h30m")', true],
  ['string(duration("1h") + duration("0.5s"))', '3600.5s'],
  ['timestamp("2024-02-29T10:00:00Z") - timestamp("2024-02-28T10:00:00Z") == duration("24h")', true],
  ['string(timestamp("2024-02-29T12:00:00.5+02:00"))', '2024-02-29T10:00:00.5Z'],
  ['timestamp("2024-03-01T00:00:00Z").getDayOfYear()', 60],
  ['duration("90s").getMinutes()', 1],
  ['sign(quantity("-1Gi"))', -1],
  ['ip("::0:1") == ip("::1") && string(cidr("10.1.2.3/8").masked()) == "10.0.0.0/8"', true],
  ['type(self.text) == string && type(self.list) == list && type(1) != type(1.5)', true],
  ['"%s has %d of %.1f".format([self.text, 3, 1234.25])', 'abcabc has 3 of 1,234.2'],
  ['url("https://a.b:1/c?x=1&x=2").getQuery()["x"] == ["1", "2"]', true],
])('%s', (source, value) => {
  expect(evaluateCel(source, { self })).toEqual({ ok: true, value })
})

test.each([
  ['duration("1x") == duration("1s")', 'time: invalid duration "1x"'],
  ['self.list.slice(2, 5) == []', 'cannot slice(2, 5), list is length 3'],
  ['lists.range(1000000) == []', 'a range of more than 10000 items'],
  ['sets.nothing([], [])', "undeclared reference to 'sets.nothing'"],
])('%s is an error', (source, problem) => {
  expect(evaluateCel(source, { self })).toEqual({ ok: false, problem })
})
