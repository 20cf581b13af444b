// kubeconfig files and pods: which entry wins, what is refused, and in what words.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { proxyFor } from '../client/proxy.ts'
import { temporaryDirectory } from '../testdata/temporary-directory.ts'
import type { ClusterConfig } from './cluster-config.ts'
import { type LoadConfigOptions, loadConfig } from './config.ts'

const pem = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n'
const pemData = Buffer.from(pem).toString('base64')

/** A directory with these files; `~` in texts is replaced by it. */
async function directoryWith(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await temporaryDirectory()
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(directory, name, '..'), { recursive: true })
    await writeFile(join(directory, name), text)
  }
  return directory
}

function kubeconfig(parts: { cluster?: object; user?: object; context?: object; current?: string }): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': parts.current ?? 'home',
    clusters: [{ name: 'c', cluster: { server: 'https://10.0.0.1:6443/', ...parts.cluster } }],
    users: [{ name: 'u', user: parts.user ?? {} }],
    contexts: [{ name: 'home', context: { cluster: 'c', user: 'u', ...parts.context } }],
  })
}

async function load(text: string, options: Partial<LoadConfigOptions> = {}): Promise<ClusterConfig> {
  const directory = await directoryWith({ config: text })
  return loadConfig({ environment: {}, homeDirectory: '/nowhere', kubeconfig: join(directory, 'config'), ...options })
}

const exec = { command: 'plugin', apiVersion: 'client.authentication.k8s.io/v1', interactiveMode: 'Never' }

describe('what is read', () => {
  test.each<[string, Parameters<typeof kubeconfig>[0], object]>([
    ['the address without its slash', {}, { server: 'https://10.0.0.1:6443', namespace: 'default', auth: { kind: 'none' } }],
    ['the namespace of the context', { context: { namespace: 'shop' } }, { namespace: 'shop' }],
    ['a token', { user: { token: 't' } }, { auth: { kind: 'token', token: 't' } }],
    ['basic', { user: { username: 'jane', password: 'p' } }, { auth: { kind: 'basic', username: 'jane', password: 'p' } }],
    [
      'data before a file of the same name',
      { cluster: { 'certificate-authority-data': pemData, 'certificate-authority': 'other' } },
      { tls: { authority: { kind: 'data' } } },
    ],
    ['the server’s name for TLS', { cluster: { 'tls-server-name': 'api.example' } }, { tls: { serverName: 'api.example' } }],
    ['no verification', { cluster: { 'insecure-skip-tls-verify': true } }, { tls: { isInsecure: true } }],
    ['a proxy', { cluster: { 'proxy-url': 'socks5://127.0.0.1:1080' } }, { proxyUrl: 'socks5://127.0.0.1:1080' }],
    [
      'impersonation',
      { user: { as: 'jane', 'as-uid': '1', 'as-groups': ['dev'], 'as-user-extra': { 'Scopes/a': ['x'] } } },
      { impersonate: { user: 'jane', uid: '1', groups: ['dev'], extra: { 'Scopes/a': ['x'] } } },
    ],
    [
      'an exec plugin',
      { user: { exec } },
      { auth: { kind: 'exec', exec: { command: 'plugin', interactiveMode: 'Never', provideClusterInfo: false } } },
    ],
    [
      'an exec plugin of v1beta1, which may ask a person',
      { user: { exec: { command: 'p', apiVersion: 'client.authentication.k8s.io/v1beta1' } } },
      { auth: { exec: { interactiveMode: 'IfAvailable' } } },
    ],
    ['a token before a plugin', { user: { token: 't', exec } }, { auth: { kind: 'token' } }],
  ])('%s', async (_, parts, expected) => {
    expect(await load(kubeconfig(parts))).toMatchObject(expected)
  })

  test('files are relative to the file that names them', async () => {
    const directory = await directoryWith({
      'deep/config': kubeconfig({
        cluster: { 'certificate-authority': 'ca.crt' },
        user: { tokenFile: '../token', exec: undefined },
      }),
    })
    const config = await loadConfig({ environment: {}, homeDirectory: '/nowhere', kubeconfig: join(directory, 'deep/config') })
    expect(config.tls.authority).toEqual({ kind: 'file', path: join(directory, 'deep/ca.crt') })
    expect(config.auth).toEqual({ kind: 'tokenFile', path: join(directory, 'token'), fallback: undefined })
  })

  test('of several files the first that says something wins, and missing ones are passed over', async () => {
    const directory = await directoryWith({
      first: JSON.stringify({ users: [{ name: 'u', user: { token: 'first' } }] }),
      second: kubeconfig({ user: { token: 'second' } }),
    })
    const environment = { KUBECONFIG: ['missing', 'first', 'second'].map(name => join(directory, name)).join(':') }
    const config = await loadConfig({ environment, homeDirectory: '/nowhere' })
    expect(config.auth).toEqual({ kind: 'token', token: 'first' })
  })

  test('what is given on the command line goes before the file', async () => {
    const config = await load(kubeconfig({ user: { as: 'file' } }), {
      overrides: { namespace: 'mine', as: 'jane', asGroups: ['dev'] },
    })
    expect(config).toMatchObject({ namespace: 'mine', impersonate: { user: 'jane', groups: ['dev'] } })
  })
})

describe('what is refused', () => {
  test.each<[string, string, string]>([
    [
      'an unknown context',
      kubeconfig({ current: 'away' }),
      'config: current-context: found "away", expected one of the contexts: home [context-missing]',
    ],
    [
      'an unknown cluster',
      kubeconfig({ context: { cluster: 'x' } }),
      'contexts[0].context.cluster: found "x", expected one of the clusters: c [cluster-missing]',
    ],
    ['no context', kubeconfig({ current: '' }), 'current-context: found "nothing", expected a context: home [context-missing]'],
    ['broken YAML, with its place', 'clusters: [\n  {', 'config:2:'],
    ['no map', '[]', 'expected a kubeconfig (a map with clusters, users and contexts)'],
    [
      'an address that is none',
      kubeconfig({ cluster: { server: '10.0.0.1' } }),
      'clusters[0].cluster.server: found "10.0.0.1", expected an address such as',
    ],
    [
      'a proxy of another kind, without its password',
      kubeconfig({ cluster: { 'proxy-url': 'ftp://jane:secret@host' } }),
      'proxy-url: found "ftp://…@host"',
    ],
    [
      'no verification beside an authority',
      kubeconfig({ cluster: { 'insecure-skip-tls-verify': true, 'certificate-authority': 'ca' } }),
      '[tls-contradiction]',
    ],
    [
      'data that is no certificate',
      kubeconfig({ cluster: { 'certificate-authority-data': 'aGVsbG8=' } }),
      'certificate-authority-data: found "aGVsbG8=", expected PEM in base64',
    ],
    [
      'half a client certificate',
      kubeconfig({ user: { 'client-certificate': 'a' } }),
      'users[0].user.client-key: found "nothing beside client-certificate", expected both or neither',
    ],
    ['token and password', kubeconfig({ user: { token: 't', username: 'u' } }), 'more than one authentication method found'],
    [
      'groups without a user',
      kubeconfig({ user: { 'as-groups': ['dev'] } }),
      'users[0].user.as: found "nothing beside a uid, groups or extra", expected a user',
    ],
    [
      'a provider that is gone',
      kubeconfig({ user: { 'auth-provider': { name: 'gcp' } } }),
      'found "gcp", expected an exec entry: the provider was replaced by gke-gcloud-auth-plugin',
    ],
    [
      'a plugin without a mode',
      kubeconfig({ user: { exec: { command: 'p', apiVersion: exec.apiVersion } } }),
      'exec.interactiveMode: found "", expected Never, IfAvailable, Always',
    ],
    [
      'a plugin of an old version',
      kubeconfig({ user: { exec: { ...exec, apiVersion: 'client.authentication.k8s.io/v1alpha1' } } }),
      '[exec-version]',
    ],
  ])('%s', async (_, text, expected) => {
    await expect(load(text)).rejects.toThrow(expected)
  })

  test('a file that was asked for and is not there', async () => {
    const loading = loadConfig({ environment: {}, homeDirectory: '/nowhere', kubeconfig: '/nowhere/config' })
    await expect(loading).rejects.toThrow('/nowhere/config: found "nothing", expected a kubeconfig file [file-missing]')
  })

  test('no configuration at all: what was tried', async () => {
    const loading = loadConfig({ environment: {}, homeDirectory: '/nowhere' })
    await expect(loading).rejects.toThrow('none of /nowhere/.kube/config')
  })
})

describe('in a pod', () => {
  const environment = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }

  test('the service account is used, its files read again when they change', async () => {
    const directory = await directoryWith({ token: 't', 'ca.crt': pem, namespace: 'ballast\n' })
    const config = await loadConfig({ environment, homeDirectory: '/nowhere', serviceAccountDirectory: directory })
    expect(config).toMatchObject({
      server: 'https://[fd00::1]:443',
      namespace: 'ballast',
      auth: { kind: 'tokenFile', path: join(directory, 'token') },
      tls: { authority: { kind: 'file', path: join(directory, 'ca.crt') } },
      warnings: [],
    })
  })

  test('without an authority the system’s are used, with a warning', async () => {
    const directory = await directoryWith({ token: 't' })
    const config = await loadConfig({ environment, homeDirectory: '/nowhere', serviceAccountDirectory: directory })
    expect(config.tls.authority).toBeUndefined()
    expect(config.warnings).toHaveLength(1)
  })

  test('variables that leaked into a shell lead on to the home file', async () => {
    const home = await directoryWith({ '.kube/config': kubeconfig({}) })
    const config = await loadConfig({ environment, homeDirectory: home, serviceAccountDirectory: '/nowhere' })
    expect(config.server).toBe('https://10.0.0.1:6443')
    expect(config.warnings[0]).toContain('this is no pod')
  })

  test('are an error where the pod is insisted on', async () => {
    const loading = loadConfig({ environment, homeDirectory: '/nowhere', serviceAccountDirectory: '/nowhere', inCluster: true })
    await expect(loading).rejects.toThrow('[token-missing]')
  })
})

describe('proxies', () => {
  const proxied = { HTTPS_PROXY: 'http://proxy:3128' }
  test.each<[string, string, Record<string, string>, string | undefined]>([
    ['of the environment', 'https://api.example:6443', proxied, 'http://proxy:3128'],
    ['in small letters', 'https://api.example', { https_proxy: 'proxy:3128' }, 'http://proxy:3128'],
    ['not for http', 'http://api.example', proxied, undefined],
    ['not for this machine', 'https://127.0.0.1:6443', proxied, undefined],
    ['not for a named host', 'https://api.example', { ...proxied, NO_PROXY: 'other, api.example' }, undefined],
    ['not for hosts below a name', 'https://api.example', { ...proxied, NO_PROXY: 'example' }, undefined],
    ['for hosts that only end alike', 'https://myexample', { ...proxied, NO_PROXY: 'example' }, 'http://proxy:3128'],
    [
      'for the name itself where only those below are named',
      'https://example',
      { ...proxied, NO_PROXY: '.example' },
      'http://proxy:3128',
    ],
    ['not in a named network', 'https://10.1.2.3', { ...proxied, NO_PROXY: '10.0.0.0/8' }, undefined],
    ['outside of it', 'https://11.1.2.3', { ...proxied, NO_PROXY: '10.0.0.0/8' }, 'http://proxy:3128'],
    ['at another port', 'https://api.example:6443', { ...proxied, NO_PROXY: 'api.example:443' }, 'http://proxy:3128'],
    ['for nothing', 'https://api.example', { ...proxied, NO_PROXY: '*' }, undefined],
  ])('%s', (_, server, environment, expected) => {
    expect(proxyFor({ server, proxyUrl: undefined, environment })).toBe(expected)
  })

  test('that of the kubeconfig goes before', () => {
    expect(proxyFor({ server: 'https://a', proxyUrl: 'http://mine', environment: { NO_PROXY: '*' } })).toBe('http://mine')
  })
})
