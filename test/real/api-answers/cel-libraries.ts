// What Kubernetes' CEL libraries give when they run. A field has a rule that never holds and whose message is what its expression
// gives, so that the refusal of a value says what a function made of it, or with which words it ended.
import type { AskedRequest } from '#test/api-answers.ts'

interface Asked {
  /** Each gives a text; `self` is each of the values in turn. A rule each, since joined texts cost more than a definition may. */
  readonly expressions: readonly string[]
  readonly values: readonly string[]
}

const addresses = [
  '192.168.0.1',
  '127.0.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '224.0.1.1',
  '169.254.1.1',
  '255.255.255.255',
  '::',
  '::1',
  '2001:db8::abcd',
  '2001:DB8:0::1',
  '0:0::1',
  'fe80::1',
  'ff02::1',
  '1:2:3:4:5:6:7::',
  '::ffff:11.0.0.1',
  '::11.1.2.3',
  'fe80::1%eth0',
  '',
  'a',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '01.2.3.4',
  '1.2.3.',
  '1..2.3',
  '1.2.3.a',
  '11.0.0.1/8',
  '1:2:3',
  '1:2:3:4:5:6:7:8:9',
  '1::2::3',
  '1:2:3:4:5:6:7:8::',
  ':1',
  '1:',
  '12345::',
  'g::',
  '1:2:3:4:5:6:7:1.2.3.4',
  '::1.2.3',
  'fe80::1%',
]
const networks = [
  '192.168.0.1/16',
  '11.0.0.0/8',
  '1.2.3.4/32',
  '0.0.0.0/0',
  '2001:db8::1/32',
  '::/0',
  '::1/128',
  '1.2.3.4',
  '1.2.3.4/33',
  '1.2.3.4/08',
  '1.2.3.4/',
  '1.2.3.4/a',
  '1.2.3.4/-1',
  '::1/129',
  '::ffff:1.2.3.4/96',
  'fe80::1%e/64',
  '1.2.3/8',
  '',
]
const urls = [
  'https://user:pw@Example.com:8080/a%20b/c?x=1&y=2&x=3#top',
  'https://example.com',
  'https://[::1]:443/a?b',
  'https://[fe80::1%25en0]/',
  '/path/only?q=a+b%2Bc',
  '//host/path',
  'mailto:someone@example.com',
  'HTTP://h/ä b',
  'http://h:port/',
  'http://h/%zz',
  'http://h%41/',
  'http://a b/',
  'http://[::1',
  'relative',
  '',
  ':a',
  '1http://a',
  'http:',
  'a+b.c-d:opaque?x',
  'http://h?a;b=c&d=%zz&=e&f',
  '*',
  'http://h/a\tb',
  'http://h:/x',
  "http://h/a'(b)*!;,:@&=+$~[]",
]
const formats = [
  'plain 100%%',
  '%s',
  '%d',
  '%f',
  '%e',
  '%b',
  '%o',
  '%x',
  '%X',
  '%.2f',
  '%.0f',
  '%.3e',
  '%.f',
  '%.2',
  '%',
  'a%',
  '%z',
  '%5d',
  '%s and %s',
]
const names: Readonly<Record<string, readonly string[]>> = {
  dns1123Label: ['a-b', 'A', 'a.b', '', '-a', 'a-', 'x'.repeat(64)],
  dns1123Subdomain: ['a.b', 'A.b', 'a..b', 'x'.repeat(254)],
  dns1035Label: ['a1', '1a', 'x'.repeat(64)],
  qualifiedName: ['a.b/c_D', '/c', 'a/b/c', 'A/c', 'a/', '', 'a/-c'],
  dns1123LabelPrefix: ['a-', 'a', '-', 'A-'],
  dns1123SubdomainPrefix: ['a.b-', 'a.', '-'],
  dns1035LabelPrefix: ['a-', '1-'],
  labelValue: ['', 'a_B.c', '-a', 'x'.repeat(64)],
  uri: ['http://a/b', 'a b', '', '/a'],
  uuid: ['123e4567-e89b-12d3-a456-426614174000', '123E4567E89B12D3A456426614174000', '123'],
  byte: ['YWJj', 'YWJ', '', 'YW Jj', '!'],
  date: ['2024-02-29', '2023-02-29', '2024-2-1', 'a'],
  datetime: [
    '2024-02-29T10:00:00Z',
    '2024-02-29t10:00:00.5+02:00',
    '2024-02-29 10:00:00Z',
    '2024-02-29T10:00:00',
    '2024-02-30T10:00:00Z',
  ],
}

const asked: Readonly<Record<string, Asked>> = {
  ip: { expressions: ['string(ip(self))'], values: addresses },
  family: {
    expressions: [
      'string(ip(self).family())',
      'string(ip(self).isUnspecified())',
      'string(ip(self).isLoopback())',
      'string(ip(self).isLinkLocalMulticast())',
      'string(ip(self).isLinkLocalUnicast())',
      'string(ip(self).isGlobalUnicast())',
    ],
    values: addresses.slice(0, 15),
  },
  isIP: { expressions: ['string(isIP(self))', 'string(ip.isCanonical(self))'], values: addresses },
  sameIP: { expressions: ['string(ip(self) == ip("::1"))'], values: ['0::1', '1.2.3.4'] },
  cidr: {
    expressions: [
      'string(cidr(self))',
      'string(cidr(self).ip())',
      'string(cidr(self).prefixLength())',
      'string(cidr(self).masked())',
    ],
    values: networks.slice(0, 7),
  },
  badCIDR: { expressions: ['string(cidr(self))'], values: networks.slice(7) },
  isCIDR: { expressions: ['string(isCIDR(self))'], values: networks },
  holdsIP: {
    expressions: ['string(cidr(self).containsIP("192.168.1.2"))', 'string(cidr(self).containsIP(ip("2001:db8::5")))'],
    values: networks.slice(0, 7),
  },
  holdsText: { expressions: ['string(cidr("::/0").containsIP(self))'], values: addresses.slice(12, 20) },
  holdsCIDR: {
    expressions: ['string(cidr("192.168.0.0/16").containsCIDR(self))', 'string(cidr("::/64").containsCIDR(cidr(self)))'],
    values: [...networks.slice(0, 9), '192.168.7.0/24', '192.0.0.0/8', '::5/64', '::/63'],
  },
  sameCIDR: { expressions: ['string(cidr(self) == cidr("1.2.0.0/16"))'], values: ['1.2.0.0/16', '1.2.3.4/16'] },
  url: {
    expressions: [
      'url(self).getScheme()',
      'url(self).getHost()',
      'url(self).getHostname()',
      'url(self).getPort()',
      'url(self).getEscapedPath()',
    ],
    values: urls,
  },
  query: {
    expressions: [
      'string(size(url(self).getQuery()))',
      'url(self).getQuery()["x"][0]',
      'url(self).getQuery()["q"][0]',
      'string("" in url(self).getQuery())',
    ],
    values: urls,
  },
  isURL: { expressions: ['string(isURL(self))'], values: urls },
  sameURL: {
    expressions: ['string(url(self) == url("http://a/b?c"))'],
    values: ['http://a/b?c', 'HTTP://a/b?c', 'http://A/b?c'],
  },
  formatText: { expressions: ['self.format(["aÄ"])'], values: formats },
  formatInt: { expressions: ['self.format([size(self) - 20])'], values: formats },
  formatDouble: { expressions: ['self.format([double(size(self)) + 1234.5])'], values: formats },
  formatBool: { expressions: ['self.format([size(self) > 3])'], values: formats },
  formatNull: { expressions: ['self.format([null])'], values: formats.slice(0, 3) },
  formatList: {
    expressions: [
      'self.format([["a", "b\\"c", self]])',
      'self.format([[1, 2]])',
      'self.format([[true]])',
      'self.format([[0.5]])',
    ],
    values: ['%s', '%d'],
  },
  formatMap: {
    expressions: ['self.format([{"b": "x", "a": self}])', 'self.format([{"k": [1, 2]}])', 'self.format([{"k": {"l": 1.5}}])'],
    values: ['%s', '%x'],
  },
  formatTimes: {
    expressions: [
      'self.format([duration("90s")])',
      'self.format([timestamp("2024-02-29T10:00:00Z")])',
      'self.format([[duration("90s"), duration("1.5s")]])',
      'self.format([[timestamp("2024-02-29T10:00:00Z")]])',
    ],
    values: ['%s', '%d'],
  },
  formatType: { expressions: ['self.format([type(self)])', 'self.format([type(1)])'], values: ['%s', '%d'] },
  formatIP: { expressions: ['self.format([ip("::1")])', 'self.format([[ip("::1")]])'], values: ['%s', '%d'] },
  formatMore: { expressions: ['self.format([1, 2])', 'self.format([])'], values: ['%s', '%d and %d', '%d %d %d'] },
  named: {
    expressions: ['string(format.named(self).hasValue())'],
    values: [...Object.keys(names), 'DNS1123Label', '', 'date-time'],
  },
  ...Object.fromEntries(
    Object.entries(names).map(([name, values]): readonly [string, Asked] => [
      `named${name}`,
      {
        expressions: [`string(format.${name}().validate(self).hasValue())`, `format.${name}().validate(self).value()[0]`],
        values,
      },
    ]),
  ),
  byName: {
    expressions: ['format.named("dns1123Label").value().validate(self).hasValue() ? "bad" : "good"'],
    values: ['a', 'A'],
  },
  quantity: {
    expressions: [
      'string(quantity(self).isInteger())',
      'string(sign(quantity(self)))',
      'string(quantity(self).isGreaterThan(quantity("1")))',
      'string(quantity(self).isLessThan(quantity("1")))',
      'string(quantity(self).compareTo(quantity("1Ki")))',
      'string(quantity(self).add(1).sub(quantity("500m")).compareTo(quantity("1.5")))',
      'string(quantity(self) == quantity("1000m"))',
    ],
    values: ['1', '1000m', '1.5', '1Ki', '-1', '0', '100k', '1e3', '9223372036854775808', '1n'],
  },
  badQuantity: { expressions: ['string(quantity(self).isInteger())'], values: ['', 'a', '1 Gi', '1.2.3', '1e', '.'] },
  wholeQuantity: {
    expressions: ['string(quantity(self).asInteger())'],
    values: ['1', '1000m', '1.5', '1Ki', '-3', '1e3', '9223372036854775807', '9223372036854775808'],
  },
  floatQuantity: { expressions: ['string(quantity(self).asApproximateFloat())'], values: ['1', '1500m', '1Ki', '-0.25'] },
  isQuantity: { expressions: ['string(isQuantity(self))'], values: ['1', '1Ki', '1e', '', 'a', '1kk'] },
  semver: {
    expressions: [
      'string(semver(self).major())',
      'string(semver(self).minor())',
      'string(semver(self).patch())',
      'string(semver(self).compareTo(semver("1.2.3")))',
      'string(semver(self).isLessThan(semver("1.2.3-rc.1")))',
      'string(semver(self) == semver("1.2.3"))',
    ],
    values: ['1.2.3', '1.2.3+build', '1.2.3-rc.1', '1.2.3-rc.2', '1.2.3-alpha', '2.0.0'],
  },
  badSemver: {
    expressions: ['string(semver(self).major())'],
    values: [
      '1.2',
      'v1.2.3',
      '01.2.3',
      '',
      'a',
      '1.2.3-',
      '1.2.x',
      '1.x.3',
      '1.2.3-01',
      '1.2.3+',
      '1.2.03',
      '1.2.3-a_b',
      '1.2.3+a_b',
    ],
  },
  looseSemver: {
    expressions: ['string(semver(self, true).compareTo(semver("1.2.0")))'],
    values: ['1.2', 'v1.2.0', '01.2.0', '1', 'v', '', 'V1.2.0', '1.2.0.0'],
  },
  isSemver: { expressions: ['string(isSemver(self))', 'string(isSemver(self, true))'], values: ['1.2.3', 'v1.2', '1.2.a', ''] },
}

const group = 'libraries.example.com'

/** Nothing is ever stored: each object is refused with what its expression gave. */
export function libraryRequests(collection: (groupVersion: string, resource: string) => string): readonly AskedRequest[] {
  const properties = Object.entries(asked).map(([name, { expressions, values }]) => [
    name,
    {
      type: 'string',
      maxLength: Math.max(...values.map(value => value.length)),
      'x-kubernetes-validations': expressions.map(expression => ({
        rule: `size(${expression}) < 0`,
        messageExpression: expression,
      })),
    },
  ])
  const openAPIV3Schema = { type: 'object', properties: { spec: { type: 'object', properties: Object.fromEntries(properties) } } }
  const definition = {
    metadata: { name: `questions.${group}` },
    spec: {
      group,
      names: { plural: 'questions', kind: 'Question' },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  }
  const path = `${collection(`${group}/v1`, 'questions')}?fieldManager=tester`
  const questions = Object.entries(asked).flatMap(([name, { values }]) =>
    values.map(value => ({
      verb: 'POST' as const,
      path,
      body: { apiVersion: `${group}/v1`, kind: 'Question', metadata: { name: 'q' }, spec: { [name]: value } },
    })),
  )
  return [
    { verb: 'POST', path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions?fieldManager=tester', body: definition },
    ...questions,
  ]
}
