import fc from 'fast-check'
import { parse, stringify } from 'smol-toml'
import { expect, test } from 'vitest'
import { readHosts } from './existing-hosts.ts'

const many = `
server = "https://registry-1.docker.io"
ca = 'ca.crt'

[host."http://b.example:1"]
  client = ["/c.cert", "/c.key"]
  capabilities = ["pull"]
[host.'http://a.example:2'.header]
  x-two = ["a", "it's"]
  X-One = "q"
[host.'http://a.example:2']
  skip_verify = true
[host.plain]
`

test('hosts in the order of their headers, keys sorted, tables after an empty line', () => {
  expect(readHosts(many)).toEqual({
    ok: true,
    file: {
      top: "ca = 'ca.crt'\nserver = 'https://registry-1.docker.io'",
      hosts: [
        {
          url: 'http://b.example:1',
          text: "[host.'http://b.example:1']\ncapabilities = ['pull']\nclient = ['/c.cert', '/c.key']",
        },
        {
          url: 'http://a.example:2',
          text: "[host.'http://a.example:2']\nskip_verify = true\n\n[host.'http://a.example:2'.header]\nX-One = 'q'\nx-two = ['a', \"it's\"]",
        },
        { url: 'plain', text: '[host.plain]' },
      ],
    },
  })
})

test.each([
  ['not TOML', 'hello'],
  ['host is no table', 'host = 3'],
  ['a host is no table', "[host]\n'http://a' = 1"],
  ['too large', `# ${'x'.repeat(1024 * 1024)}`],
])('%s: taken for none, with the reason', (_, text) => {
  const read = readHosts(text)
  expect(read.ok).toBe(false)
  if (!read.ok) expect(read.why).not.toBe('')
})

test('what is written anew says the same', () => {
  const word = fc
    .string({ unit: 'grapheme-composite', maxLength: 12 })
    .filter(text => text !== '__proto__' && text.isWellFormed())
  const value = fc.oneof(word, fc.boolean(), fc.array(word, { maxLength: 3 }))
  const table = fc.dictionary(word, value, { maxKeys: 4, noNullPrototype: true })
  fc.assert(
    fc.property(fc.dictionary(word, table, { maxKeys: 4, noNullPrototype: true }), hosts => {
      const read = readHosts(stringify({ host: hosts }))
      if (!read.ok) throw new Error(read.why)
      const again: unknown = parse(read.file.hosts.map(({ text }) => text).join('\n\n'))['host']
      expect(again ?? {}).toEqual(hosts)
    }),
  )
})
