// kube-machinery.md §7, case 25: plugins that are real programs, and what is said of those that answer badly.
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Clock, systemClock, VirtualClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { temporaryDirectory } from '../testdata/temporary-directory.ts'
import type { ClusterConfig, ExecConfig } from './cluster-config.ts'
import { Credentials } from './credentials.ts'

const v1 = 'client.authentication.k8s.io/v1'

interface Plugin {
  readonly directory: string
  readonly config: ClusterConfig
  credentials(clock?: Clock): Credentials
  runs(): Promise<number>
  told(): Promise<unknown>
  answer(reply: unknown): Promise<void>
}

/** A program that notes each run and what it was told, and prints `reply`. */
async function plugin(reply: unknown, options: Partial<ExecConfig> = {}, body = 'cat "$0.reply"'): Promise<Plugin> {
  const directory = await temporaryDirectory()
  const command = join(directory, 'plugin')
  await writeFile(command, `#!/bin/sh\necho run >> "$0.runs"\nprintf '%s' "$KUBERNETES_EXEC_INFO" > "$0.told"\n${body}\n`)
  await chmod(command, 0o755)
  const answer = (next: unknown) => writeFile(`${command}.reply`, typeof next === 'string' ? next : JSON.stringify(next))
  await answer(reply)
  const exec: ExecConfig = {
    command,
    args: [],
    env: [],
    apiVersion: v1,
    interactiveMode: 'Never',
    provideClusterInfo: false,
    installHint: undefined,
    clusterConfig: undefined,
    directory,
    ...options,
  }
  const config: ClusterConfig = {
    server: 'https://10.0.0.1:6443',
    tls: { authority: undefined, serverName: 'api', isInsecure: false, clientCertificate: undefined, clientKey: undefined },
    auth: { kind: 'exec', exec },
    impersonate: undefined,
    namespace: 'default',
    proxyUrl: undefined,
    disableCompression: false,
    source: 'test',
    warnings: [],
  }
  return {
    directory,
    config,
    answer,
    credentials: (clock = systemClock) =>
      new Credentials(config, { clock, log: silentLog, environment: { PATH: '/usr/bin:/bin' }, isTerminal: false }),
    runs: async () => (await readFile(`${command}.runs`, 'utf8')).trim().split('\n').length,
    told: async () => JSON.parse(await readFile(`${command}.told`, 'utf8')) as unknown,
  }
}

const reply = (status: object, apiVersion = v1) => ({ apiVersion, kind: 'ExecCredential', status })

describe('7.25 exec plugins', () => {
  test('a hundred requests at once run one program', async () => {
    const { credentials, runs } = await plugin(reply({ token: 't' }))
    const opened = credentials()
    const all = await Promise.all(Array.from({ length: 100 }, () => opened.headers()))
    expect(new Set(all.map(headers => headers['authorization']))).toEqual(new Set(['Bearer t']))
    expect(await runs()).toBe(1)
  })

  test('the program is told what it asks for', async () => {
    const { credentials, told } = await plugin(reply({ token: 't' }), {
      provideClusterInfo: true,
      clusterConfig: { audience: 'a' },
    })
    await credentials().headers()
    expect(await told()).toEqual({
      apiVersion: v1,
      kind: 'ExecCredential',
      spec: {
        interactive: false,
        cluster: { server: 'https://10.0.0.1:6443', 'tls-server-name': 'api', config: { audience: 'a' } },
      },
    })
  })

  test('a certificate is used for TLS', async () => {
    const { credentials } = await plugin(reply({ clientCertificateData: 'C', clientKeyData: 'K' }))
    const opened = credentials()
    expect(await opened.tls()).toEqual({ authority: undefined, certificate: 'C', key: 'K' })
    expect(await opened.tls()).toBe(await opened.tls())
    expect(await opened.headers()).toEqual({})
  })

  test('what has expired, or was refused, is asked for again', async () => {
    const clock = new VirtualClock(Date.UTC(2026, 0, 1))
    const { credentials, answer, runs } = await plugin(reply({ token: 'first', expirationTimestamp: '2026-01-01T01:00:00Z' }))
    const opened = credentials(clock)
    const token = async () => (await opened.headers())['authorization']
    expect(await token()).toBe('Bearer first')
    await answer(reply({ token: 'second' }))
    await clock.advance(1_800_000)
    expect(await token()).toBe('Bearer first')
    await clock.advance(1_800_000)
    expect(await token()).toBe('Bearer second')
    await answer(reply({ token: 'third' }))
    // A refusal of a request that began before this credential came says nothing about it.
    opened.invalidate(clock.elapsed() - 1)
    expect(await token()).toBe('Bearer second')
    opened.invalidate(clock.elapsed() + 1)
    expect(await token()).toBe('Bearer third')
    expect(await runs()).toBe(3)
  })

  test.each<[string, unknown, Partial<ExecConfig>, string]>([
    ['half a certificate', reply({ clientCertificateData: 'C' }), {}, 'exec plugin returned only certificate or key, not both'],
    [
      'another version',
      reply({ token: 't' }, 'client.authentication.k8s.io/v1beta1'),
      {},
      `its answer has apiVersion client.authentication.k8s.io/v1beta1, the configuration has ${v1}`,
    ],
    ['nothing', reply({}), {}, 'its answer has neither a token nor a certificate'],
    ['no status', { apiVersion: v1 }, {}, 'its answer has no status'],
    ['no JSON', 'hello', {}, 'its answer is not JSON'],
    ['no time', reply({ token: 't', expirationTimestamp: 'soon' }), {}, 'its expirationTimestamp is no time: soon'],
    ['no terminal', reply({ token: 't' }), { interactiveMode: 'Always' }, 'it needs a terminal'],
    [
      'no program',
      reply({ token: 't' }),
      { command: '/nowhere/plugin' },
      'exec plugin /nowhere/plugin: spawn /nowhere/plugin ENOENT',
    ],
  ])('%s', async (_, answered, options, expected) => {
    const { credentials } = await plugin(answered, options)
    await expect(credentials().headers()).rejects.toThrow(expected)
  })

  test('a program that fails is not run again at once', async () => {
    const clock = new VirtualClock(0)
    const { credentials, runs } = await plugin('', {}, 'exit 3')
    const opened = credentials(clock)
    await expect(opened.headers()).rejects.toThrow('it ended with code 3')
    await expect(opened.headers()).rejects.toThrow('it ended with code 3')
    expect(await runs()).toBe(1)
    await clock.advance(1000)
    await expect(opened.headers()).rejects.toThrow('it ended with code 3')
    expect(await runs()).toBe(2)
  })

  test('a program that prints without end is ended', async () => {
    const { credentials } = await plugin('', {}, 'exec yes')
    await expect(credentials().headers()).rejects.toThrow('it printed more than 1048576 bytes')
  })
})

test('no token goes over plain http but to this machine', async () => {
  const { config } = await plugin('')
  const options = { clock: systemClock, log: silentLog, environment: {}, isTerminal: false }
  const headersFor = (server: string) =>
    new Credentials({ ...config, server, auth: { kind: 'token', token: 't' } }, options).headers()
  expect(await headersFor('http://10.0.0.1:8080')).toEqual({})
  expect(await headersFor('http://127.0.0.1:8080')).toEqual({ authorization: 'Bearer t' })
})

test('impersonation is said in headers', async () => {
  const { config } = await plugin('')
  const impersonate = { user: 'jane', uid: '7', groups: ['dev', 'ops'], extra: { 'Scopes/a': ['x', 'y'] } }
  const opened = new Credentials(
    { ...config, auth: { kind: 'none' }, impersonate },
    { clock: systemClock, log: silentLog, environment: {}, isTerminal: false },
  )
  expect(await opened.headers()).toEqual({
    'impersonate-user': 'jane',
    'impersonate-uid': '7',
    'impersonate-group': ['dev', 'ops'],
    'impersonate-extra-scopes%2Fa': ['x', 'y'],
  })
})
