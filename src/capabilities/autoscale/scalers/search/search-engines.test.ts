// Elasticsearch and OpenSearch: what they are asked, where the number is, and what counts as none.
import type { LookupFunction } from 'node:net'
import { describe, expect, test } from 'vitest'
import { describeSources, opened, readOf, signal, type Texts } from '../testdata/hostile-sources.ts'
import { scalerWorld } from '../testdata/scaler-world.ts'
import { saying, sourceServer } from '../testdata/source-server.ts'

const login = { username: 'admin', password: 'secret' }
const found = (value: unknown) => saying(JSON.stringify({ hits: { total: { value } } }))
const query = '{"query":{"match":{"field":"value"}}}'

const given = (url: string, more: Texts = {}): Texts => ({
  ...{ addresses: url, index: 'index1', query, valueLocation: 'hits.total.value', targetValue: '5' },
  ...more,
})
const types = ['elasticsearch', 'opensearch'] as const

describeSources(
  types.map(type => ({
    ...{ type, metadata: (url: string) => given(url), auth: login },
    ...{ answer: found(7), word: found('many'), hasOwnAuth: true as const },
  })),
)

describe.each(types)('%s', type => {
  const read = (url: string, more: Texts = {}, auth: Texts = login) => readOf(type, given(url, more), { auth })

  test.each<[Texts, string, unknown]>([
    [{}, '/index1/_search', JSON.parse(query)],
    [{ index: 'index1 ; index/2' }, '/index1,index%2F2/_search', JSON.parse(query)],
    [{ query: '', searchTemplateName: 'mine' }, '/index1/_search/template', { id: 'mine' }],
    [
      { query: '', searchTemplateName: 'mine', parameters: 'a: 1 ;b:2026-01-01T00:00:00Z;' },
      '/index1/_search/template',
      { id: 'mine', params: { a: '1', b: '2026-01-01T00:00:00Z' } },
    ],
  ])('%o asks %s', async (more, path, body) => {
    await using source = await sourceServer(found(7))
    expect(await read(source.url, more)).toEqual([7, true])
    const [asked] = source.asked
    expect(asked).toMatchObject({
      path,
      headers: { authorization: `Basic ${btoa('admin:secret')}`, 'content-type': 'application/json' },
    })
    expect(JSON.parse(asked?.body ?? '')).toEqual(body)
  })

  test.each<[unknown, unknown, unknown]>([
    [2.5, [2.5, true], [2.5, true]],
    ['12.5', [12.5, true], [12.5, true]],
    [null, /number but got: 'Null'/, [0, false]],
    [undefined, /number but got: 'Null'/, [0, false]],
    [true, /number but got: 'True or False'/, /number/],
    [[1], /number but got: 'JSON'/, /number/],
    ['NaN', /number but got: 'a text of 3 characters'/, /number/],
    ['', /number but got: 'a text of 0 characters'/, /number/],
  ])('%o, without and with ignoreNullValues', async (value, ...expected) => {
    await using source = await sourceServer(found(value))
    for (const [index, ignoreNullValues] of ['false', 'true'].entries()) {
      const said = await read(source.url, { ignoreNullValues })
      const wanted = expected[index]
      if (wanted instanceof RegExp) expect(said).toMatch(wanted)
      else expect(said).toEqual(wanted)
    }
  })

  test('a number beyond all bounds is an error', async () => {
    await using source = await sourceServer(saying('{"hits":{"total":{"value":1e999}}}'))
    expect(await read(source.url, {})).toMatch(/number but got: 'infinite'/)
  })

  test.each([
    [401, /authentication failed \(HTTP 401\)/],
    [403, /authorization failed \(HTTP 403\)/],
    [404, /status 404/],
  ])('the status %i is an error, though null is none', async (status, message) => {
    await using source = await sourceServer(saying('{"status":403}', 'application/json', status))
    expect(await read(source.url, { ignoreNullValues: 'true' })).toMatch(message)
  })

  test('another server is asked where one is away, and first from then on', async () => {
    await using away = await sourceServer(saying('{}', 'application/json', 503))
    await using source = await sourceServer(found(7))
    await using world = scalerWorld()
    const addresses = ` http://127.0.0.1:1 , ${away.url},${source.url}`
    await using scaler = await opened(type, given(addresses), { auth: login }, world)
    for (let time = 0; time < 2; time++)
      expect(await scaler.read('m', signal)).toEqual({ values: [{ name: 'm', value: 7 }], isActive: true })
    expect([away.asked.length, source.asked.length]).toEqual([1, 2])
  })

  test.each<[Texts, string]>([
    [{}, `s3-${type}-query`],
    [{ query: '', searchTemplateName: 'my.Search' }, `s3-${type}-my-Search`],
  ])('%o: the name of its metric', async (more, name) => {
    await using world = scalerWorld()
    await using scaler = await opened(type, given('http://a', more), { auth: login, index: 3 }, world)
    expect(await scaler.metrics(signal)).toMatchObject([{ external: { metric: { name }, target: { averageValue: '5' } } }])
  })

  test('parameters of authentications win, and a password may be in the environment', async () => {
    await using source = await sourceServer(found(7))
    const { addresses = '', ...metadata } = given(source.url, { username: 'me', passwordFromEnv: 'PASS', password: 'no' })
    expect(await readOf(type, metadata, { auth: { addresses, targetValue: '9' }, env: { PASS: 'of-env' } })).toEqual([7, true])
    expect(source.asked[0]?.headers.authorization).toBe(`Basic ${btoa('me:of-env')}`)
  })

  test.each<[Texts, Texts, RegExp]>([
    [{ index: '' }, login, /missing required parameter "index"/],
    [{ valueLocation: '' }, login, /missing required parameter "valueLocation"/],
    [{ valueLocation: 'a.#(b' }, login, /parenthesis/],
    [{ targetValue: '' }, login, /missing required parameter "targetValue"/],
    [{ targetValue: 'AA' }, login, /unable to set param "targetValue"/],
    [{ activationTargetValue: 'AA' }, login, /unable to set param "activationTargetValue"/],
    [{ searchTemplateName: 'mine' }, login, /cannot provide both searchTemplateName and query/],
    [{ query: '' }, login, /either searchTemplateName or query must be provided/],
    [{ query: '{"secretword":' }, login, /^invalid query JSON$/],
    [{}, { username: 'admin' }, /both username and password must be provided/],
    [{}, { password: 'secret' }, /both username and password must be provided/],
    [{ addresses: 'ftp://a' }, login, /expected http/],
    ...['invalid-param', ':value', 'key:'].map((parameters): [Texts, Texts, RegExp] => [
      { query: '', searchTemplateName: 'mine', parameters },
      login,
      /invalid parameter format ".*", expected key:value/,
    ]),
  ])('%o with %o is refused', async (more, auth, message) => {
    const said = await read('http://a', more, auth)
    expect(said).toMatch(message)
    expect(said).not.toContain('secret')
  })
})

describe('elasticsearch of Elastic Cloud', () => {
  const cloudID = `mine:${btoa('127.0.0.1:9243$a$b')}`

  test('is asked with its key, by TLS', async () => {
    const lookup: LookupFunction = (_host, _options, done) => done(new Error('away'), [])
    const { addresses: _none, ...metadata } = given('')
    const id = `mine:${btoa('eu.example.test:9243$a1b2$kibana')}`
    const read = await readOf('elasticsearch', metadata, { auth: { cloudID: id, apiKey: 'k3y' } }, { lookup })
    expect(read).toBe('POST https://a1b2.eu.example.test:9243/index1/_search: away')
  })

  test.each<[Texts, RegExp]>([
    [{}, /must provide either cloud config or endpoint addresses/],
    [{ cloudID }, /both cloudID and apiKey must be provided/],
    [{ apiKey: 'k3y' }, /both cloudID and apiKey must be provided/],
    [{ cloudID, apiKey: 'k3y', addresses: 'http://a' }, /can't provide both/],
    [{ cloudID, apiKey: 'k3y', username: 'admin' }, /can't provide both/],
    [{ cloudID: 'mine:xxxx', apiKey: 'k3y' }, /cloudID cannot be read/],
    [{ cloudID: 'mine', apiKey: 'k3y' }, /cloudID cannot be read/],
    [login, /addresses must be provided/],
  ])('%o', async (auth, message) => {
    const { addresses: _none, ...metadata } = given('')
    expect(await readOf('elasticsearch', metadata, { auth })).toMatch(message)
  })
})

describe('opensearch', () => {
  test.each<[Texts, RegExp]>([
    [{ enableTLS: 'true', clientCert: 'a' }, /both clientCert and clientKey must be provided/],
    [{ enableTLS: 'true', clientKey: 'a' }, /both clientCert and clientKey must be provided/],
    [{ addresses: '' }, /missing required parameter "addresses"/],
  ])('%o is refused', async (more, message) => {
    expect(await readOf('opensearch', given('http://a', more), { auth: login })).toMatch(message)
  })
})
