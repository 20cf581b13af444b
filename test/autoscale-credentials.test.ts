// Credentials of triggers: case N3, variables of containers, and each source of an authentication with its order and its refusals.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { startMs } from '#twin/components/cluster-for-tests.ts'
import { startTwin } from '#twin/twin.ts'
import { autoscaleConfiguration } from '../src/capabilities/autoscale/config.ts'
import { ClusterData } from '../src/capabilities/autoscale/credentials/cluster-data.ts'
import { containerEnv, expanded } from '../src/capabilities/autoscale/credentials/container-env.ts'
import { credentialsOf } from '../src/capabilities/autoscale/credentials/credentials.ts'
import { servedKinds } from '../src/capabilities/autoscale/kinds/served-kinds.ts'
import type { TriggerAuthentication } from '../src/capabilities/autoscale/kinds/trigger-authentication.ts'
import { clusterTriggerAuthentications, triggerAuthentications } from '../src/capabilities/autoscale/names.ts'
import { scalerWorld } from '../src/capabilities/autoscale/scalers/testdata/scaler-world.ts'
import { saying, sourceServer } from '../src/capabilities/autoscale/scalers/testdata/source-server.ts'
import { readParameters, required, text } from '../src/capabilities/autoscale/triggers/parameters.ts'

const { signal } = new AbortController()

describe('variables', () => {
  test.each<[string, string]>([
    ['$(A)-x', '1-x'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$(B)', '$(B)'],
    ['$(A', '$(A'],
    ['$A $', '$A $'],
    ['$(A)$(A)$$', '11$'],
    ['$(toString)', '$(toString)'],
  ])('N3: %s is %s', (value, expected) => {
    expect(expanded(value, new Map([['A', '1']]))).toBe(expected)
  })

  const data: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'ConfigMap/common': { HOST: 'queue', PORT: '1' },
    'Secret/login': { user: 'me', word: 'hunter2' },
  }
  const place = (readsSecrets = true) => ({
    ...{ namespace: 'media', signal },
    data: {
      readsSecretsOf: () => readsSecrets,
      data: async (kind: string, _namespace: string, name: string) => {
        const found = data[`${kind}/${name}`]
        if (found === undefined) throw Object.assign(new Error('not found'), { code: 404 })
        return found
      },
    },
  })
  const template = (container: object, ...more: readonly object[]) => ({ spec: { containers: [container, ...more] } })

  test('of all sources, later ones over earlier ones', async () => {
    const container = {
      name: 'a',
      envFrom: [{ configMapRef: { name: 'common' } }, { prefix: 'L_', secretRef: { name: 'login' } }],
      env: [
        { name: 'PORT', value: '2' },
        { name: 'URL', value: 'http://$(HOST):$(PORT)/$$(HOST)' },
        { name: 'USER', valueFrom: { secretKeyRef: { name: 'login', key: 'user' } } },
        { name: 'ALSO', valueFrom: { configMapKeyRef: { name: 'common', key: 'HOST' } } },
        { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
        { name: 'NONE', valueFrom: { configMapKeyRef: { name: 'common', key: 'x', optional: true } } },
        { name: 'EMPTY' },
      ],
    }
    const env = await containerEnv(template(container), undefined, place())
    expect(env).toEqual({
      ...{ HOST: 'queue', PORT: '2', L_user: 'me', L_word: 'hunter2', URL: 'http://queue:2/$(HOST)' },
      ...{ USER: 'me', ALSO: 'queue', EMPTY: '' },
    })
    expect(
      readParameters(
        { query: required(text, { from: ['metadata', 'env'], about: '' }) },
        { metadata: { queryFromEnv: 'URL' }, env, auth: {} },
        'x',
      ),
    ).toEqual({
      query: 'http://queue:2/$(HOST)',
    })
    // Where Secrets are not for us, what needs one is left out.
    expect(await containerEnv(template(container), 'a', place(false))).not.toHaveProperty('USER')
    expect(await containerEnv(template({ name: 'x' }, container), 'a', place())).toEqual(env)
    expect(await containerEnv(undefined, undefined, place())).toEqual({})
  })

  test.each<[object, string | undefined, RegExp]>([
    [{ name: 'a' }, 'b', /couldn't find container with name b/],
    [
      { name: 'a', env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'login', key: 'x' } } }] },
      undefined,
      /variable X: Secret media\/login has no key x/,
    ],
  ])('%o of %s is an error', async (container, name, message) => {
    await expect(containerEnv(template(container), name, place())).rejects.toThrow(message)
  })
})

async function site(config: Readonly<Record<string, unknown>>, objects: readonly object[]) {
  const stack = new AsyncDisposableStack()
  const clock = new VirtualClock(startMs)
  const definitions = servedKinds.flatMap(({ definition }) => definition ?? [])
  const namespaces = ['media', 'own'].map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
  const twin = stack.use(
    await startTwin({
      clock,
      seed: 1,
      objects: [...definitions, ...namespaces, ...(objects as KubeObject[])],
      listen: { port: 0 },
    }),
  )
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  stack.defer(() => api.close())
  const stop = new AbortController()
  stack.defer(() => stop.abort())
  const informers = stack.use(new Informers(api, { clock, random: seededRandom(1), log: silentLog, signal: stop.signal }))
  const authentications = informers.of<TriggerAuthentication>(triggerAuthentications)
  const clusterAuthentications = informers.of<TriggerAuthentication>(clusterTriggerAuthentications)
  const pods = informers.of<Pod>(builtIn.pods)
  await informers.allSynced(signal)
  const { outgoing } = stack.use(scalerWorld({ clock: systemClock }))
  const warned: string[] = []
  const log = { ...silentLog, warn: (_fields: object, message: string) => void warned.push(message) }
  const template = { spec: { containers: [{ name: 'a', env: [{ name: 'E', value: 'of-env' }] }] } }
  const authOf = async (
    name: string,
    kind?: 'ClusterTriggerAuthentication',
    other: Readonly<Record<string, unknown>> = config,
  ) => {
    const parsed = autoscaleConfiguration.parse(other)
    const data = new ClusterData({ api, config: parsed, ownNamespace: 'own', pods })
    const given = credentialsOf({
      ...{ api, log, config: parsed, ownNamespace: 'own', data, outgoing, authentications, clusterAuthentications },
    })
    const trigger = { type: 'x', metadata: {}, authenticationRef: { name, ...(kind === undefined ? {} : { kind }) } }
    try {
      return (await given({ trigger, namespace: 'media', template, container: undefined }, signal)).auth
    } catch (error) {
      return (error as Error).message
    }
  }
  return { authOf, warned, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const authentication = (name: string, spec: object, kind = 'TriggerAuthentication') => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind,
  metadata: { name, ...(kind === 'TriggerAuthentication' ? { namespace: 'media' } : {}) },
  spec,
})
const holder = (kind: string, namespace: string, name: string, data: Readonly<Record<string, string>>) => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace },
  data: kind === 'Secret' ? Object.fromEntries(Object.entries(data).map(([key, value]) => [key, btoa(value)])) : data,
})
const ofSecret = (name: string, parameter = 'p', key = 'k') => ({ secretTargetRef: [{ parameter, name, key }] })

test('authentications: each source, their order, and what each refuses', async () => {
  await using vault = await sourceServer((request, response) => {
    if (request.headers['x-vault-token'] === undefined) return saying('{"auth":{"client_token":"v"}}')(request, response)
    const answers: Readonly<Record<string, unknown>> = {
      '/v1/kv/data/queue': { data: { data: { k: 'second' }, metadata: {} } },
      '/v1/kv/queue': { data: { k: 'first' } },
      '/v1/pki/issue/x': { data: { ca_chain: ['a', 'b'] } },
    }
    const found = answers[request.url ?? '']
    saying(JSON.stringify(found ?? {}), 'application/json', found === undefined ? 403 : 200)(request, response)
  })
  const folder = await temporaryDirectory()
  mkdirSync(join(folder, 'root'))
  writeFileSync(join(folder, 'outside.json'), '{"p":"outside"}')
  writeFileSync(join(folder, 'root', 'a.json'), '{"p":"of-file"}')
  writeFileSync(join(folder, 'root', 'b.json'), '{"p":1}')
  symlinkSync('../outside.json', join(folder, 'root', 'link.json'))
  const login = { address: vault.url, authentication: 'kubernetes', mount: 'kubernetes', role: 'r' }
  const secretOf = (path: string, more: object = {}) => ({ secrets: [{ parameter: 'p', path, key: 'k', ...more }] })
  const token = { address: vault.url, authentication: 'token', credential: { token: 'v' } }
  const cluster = 'ClusterTriggerAuthentication'
  const objects = [
    holder('Secret', 'media', 's', { k: 'of-secret' }),
    holder('Secret', 'own', 's', { k: 'of-own-secret' }),
    holder('ConfigMap', 'media', 'c', { k: 'of-map' }),
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'asks', namespace: 'media' } },
    authentication('order', {
      env: [
        { parameter: 'p', name: 'E' },
        { parameter: 'q', name: 'E' },
      ],
      configMapTargetRef: [{ parameter: 'p', name: 'c', key: 'k' }],
      ...ofSecret('s'),
    }),
    authentication('secret', ofSecret('s')),
    authentication('gone', ofSecret('none')),
    authentication('of-cluster', ofSecret('s'), cluster),
    authentication('oauth', {
      oauth2: {
        type: 'clientCredentials',
        clientId: 'me',
        clientSecret: { valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
        tokenUrl: 'https://t',
        scopes: ['a', 'b'],
        tokenUrlParams: { x: 'y z' },
      },
    }),
    authentication('file', { filePath: 'a.json' }, cluster),
    authentication('file-number', { filePath: 'b.json' }, cluster),
    authentication('file-link', { filePath: 'link.json' }, cluster),
    authentication('file-up', { filePath: '../outside.json' }, cluster),
    authentication('file-none', { filePath: 'none.json' }, cluster),
    authentication('file-namespaced', { filePath: 'a.json' }),
    authentication('token', { boundServiceAccountToken: [{ parameter: 'p', serviceAccountName: 'asks' }] }),
    authentication('token-other', { boundServiceAccountToken: [{ parameter: 'p', serviceAccountName: 'other' }] }),
    authentication('vault-2', { hashiCorpVault: { ...token, ...secretOf('kv/data/queue') } }),
    authentication('vault-1', { hashiCorpVault: { ...token, ...secretOf('kv/queue', { type: 'secret' }) } }),
    authentication('vault-pki', {
      hashiCorpVault: { ...token, ...secretOf('pki/issue/x', { type: 'pki', key: 'ca_chain', pkiData: { commonName: 'me' } }) },
    }),
    authentication('vault-login', {
      hashiCorpVault: { ...login, credential: { serviceAccountName: 'asks' }, ...secretOf('kv/queue') },
    }),
    authentication('vault-path', {
      hashiCorpVault: {
        ...login,
        credential: { serviceAccount: '/var/run/secrets/kubernetes.io/serviceaccount/token' },
        ...secretOf('kv/queue'),
      },
    }),
    authentication('vault-refused', { hashiCorpVault: { ...token, ...secretOf('kv/other') } }),
    authentication('vault-key', { hashiCorpVault: { ...token, ...secretOf('kv/queue', { key: 'x' }) } }),
    authentication('vault-cloud', { hashiCorpVault: { ...token, address: 'http://169.254.169.254', ...secretOf('kv/queue') } }),
    authentication('azure', { azureKeyVault: { vaultUri: 'https://x', secrets: [{ parameter: 'p', name: 'n' }] } }),
    authentication('aws', { podIdentity: { provider: 'aws' } }),
  ]
  await using run = await site(
    { filePathRoot: join(folder, 'root'), tokenNamespaces: ['media'], tokenAudiences: { 'media/asks': 'queue' } },
    objects,
  )
  const expected: readonly (readonly [string, 'ClusterTriggerAuthentication' | undefined, unknown])[] = [
    ['order', undefined, { p: 'of-secret', q: 'of-env' }],
    ['gone', undefined, { p: '' }],
    ['not-there', undefined, {}],
    ['not-there', cluster, {}],
    ['of-cluster', cluster, { p: 'of-own-secret' }],
    [
      'oauth',
      undefined,
      { oauthTokenURI: 'https://t', clientID: 'me', clientSecret: 'of-secret', scopes: 'a,b', endpointParams: 'x=y+z' },
    ],
    ['file', cluster, { p: 'of-file' }],
    ['file-number', cluster, /no map of texts/],
    ['file-link', cluster, /leads out of its folder/],
    ['file-up', cluster, /not contain '\.\.'/],
    ['file-none', cluster, /cannot be read: ENOENT/],
    ['file-namespaced', undefined, /only supported for ClusterTriggerAuthentication/],
    ['token', undefined, { p: expect.stringMatching(/^ey.*\./) }],
    ['token-other', undefined, /no audience is configured for tokens of media\/other/],
    ['vault-2', undefined, { p: 'second' }],
    ['vault-1', undefined, { p: 'first' }],
    ['vault-pki', undefined, { p: 'a\nb' }],
    ['vault-login', undefined, { p: 'first' }],
    ['vault-path', undefined, /a path of a token of ours .* is not read/],
    ['vault-refused', undefined, /Vault answered kv\/other with status 403/],
    ['vault-key', undefined, /key 'x' of kv\/queue not found/],
    ['vault-cloud', undefined, /not to be reached from here/],
    ['azure', undefined, /Azure Key Vault .* is not read by Ballast yet/],
    ['aws', undefined, /the pod identity aws is not in Ballast yet/],
  ]
  for (const [name, kind, outcome] of expected) {
    const found = await run.authOf(name, kind)
    if (outcome instanceof RegExp) expect(found, name).toMatch(outcome)
    else expect(found, name).toEqual(outcome)
  }
  expect(run.warned).toEqual([
    'an authentication lacks a value',
    ...Array(2).fill('a trigger names an authentication that is not there'),
  ])
  expect(JSON.parse(vault.asked.find(({ path }) => path === '/v1/auth/kubernetes/login')?.body ?? '{}')).toMatchObject({
    role: 'r',
    jwt: expect.stringMatching(/^ey/),
  })
  const restricted = { restrictSecretAccess: true }
  expect(await run.authOf('secret', undefined, restricted)).toEqual({ p: '' })
  expect(await run.authOf('of-cluster', cluster, restricted)).toEqual({ p: 'of-own-secret' })
  expect(await run.authOf('file', cluster, restricted)).toMatch(/no folder of such files/)
})
