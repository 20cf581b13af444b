// `ballast metrics-server` as a process: what it refuses at its start, with which code, and that it ends when it is told to.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { commandLine } from './cli/bundled.ts'
import { tokenKubeconfig, until } from './controller-process.ts'
import { metricsAccount, upstreamMetricsRole } from './metrics-server-role.ts'
import { freePort } from './real/control-plane/free-ports.ts'

const directory = mkdtempSync(join(tmpdir(), 'ballast-metrics-process-'))
/** The name by which upstream's manifests call it. */
const called = join(directory, 'metrics-server')
const resources = new AsyncDisposableStack()
let twin: Twin
let kubeconfig = ''

beforeAll(async () => {
  symlinkSync(commandLine, called)
  twin = resources.use(await startTwin({ clock: systemClock, objects: upstreamMetricsRole, listen: { port: 0 } }))
  const token = await twin.issueToken({
    namespace: metricsAccount.namespace,
    serviceAccount: metricsAccount.name,
    seconds: 3_600,
  })
  kubeconfig = resources.use(tokenKubeconfig(await twin.kubeconfig(), token)).file
})
afterAll(async () => {
  await resources.disposeAsync()
  rmSync(directory, { recursive: true, force: true })
})

function run(flags: readonly string[]) {
  const child = spawn(process.execPath, [called, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
  })
  resources.defer(() => void child.kill('SIGKILL'))
  const texts: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => texts.push(text))
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  return { child, output: () => texts.join(''), ended }
}

const file = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text)
  return join(directory, name)
}

// biome-ignore format: a table
test.each<[string, () => readonly string[], number, RegExp]>([
  ['the version', () => ['--version'], 0, /^\d+\.\d+\.\d+$/m],
  ['an unknown flag', () => ['--nope'], 2, /unknown flag: --nope/],
  ['a resolution that is too short', () => ['--metric-resolution=9s', '--kubelet-request-timeout=8s'], 2, /at least 10s, but value 9s provided/],
  ['no cluster', () => ['--secure-port=0'], 2, /KUBERNETES_SERVICE_HOST/],
  ['an authority that is not there', () => [`--kubeconfig=${kubeconfig}`, '--kubelet-certificate-authority=/nowhere/ca.pem'], 2, /--kubelet-certificate-authority \/nowhere\/ca\.pem/],
  ['an authority that is none', () => [`--kubeconfig=${kubeconfig}`, `--kubelet-certificate-authority=${file('ca.pem', 'x')}`], 2, /no certificate/],
  ['a client authority that is none', () => [`--kubeconfig=${kubeconfig}`, `--client-ca-file=${file('clients.pem', '')}`, `--cert-dir=${directory}/own`], 2, /--client-ca-file/],
  ['a client certificate that is not there', () => [`--kubeconfig=${kubeconfig}`, '--kubelet-client-certificate=/nowhere/c', '--kubelet-client-key=/nowhere/k'], 2, /--kubelet-client-certificate/],
  ['a serving certificate that is not there', () => [`--kubeconfig=${kubeconfig}`, '--tls-cert-file=/nowhere/c', '--tls-private-key-file=/nowhere/k'], 2, /\/nowhere\/c/],
])('%s', async (_what, flags, code, words) => {
  const { ended, output } = run(flags())
  expect(await ended, output()).toBe(code)
  expect(output()).toMatch(words)
}, 120_000)

test('it serves with the pair that it made, and ends with 0 when it is told to', async () => {
  const port = await freePort()
  const { child, ended, output } = run([
    `--kubeconfig=${kubeconfig}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    `--cert-dir=${directory}/made`,
    '-v=2',
    '--profiling',
  ])
  await until(output, () => output().includes('Serving securely') || child.exitCode !== null, 60_000)
  expect(output()).toContain('--profiling is taken and has no effect')
  expect(output()).toContain('Generated self-signed cert')
  child.kill('SIGTERM')
  expect(await ended, output()).toBe(0)
}, 120_000)
