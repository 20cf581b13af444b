// A metrics-server outside of the twin, upstream's and ours, that scrapes the kubelets of `ballast twin --open-kubelets` and stands behind its
// aggregator: kubectl top prints what the twin's pods use.
import { match, notStrictEqual, ok, strictEqual } from 'node:assert'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { parse } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'
import { startTwinProcess } from '../../../bench/twin-process.ts'
import { commandLine } from '../../cli/bundled.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import { metricsAccount, upstreamMetricsRole } from '../../metrics-server-role.ts'
import type { Check } from '../check.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { runCommand } from '../run-command.ts'
import { upstreamPath } from '../upstreams/build.ts'
import { ended, until } from './servers.ts'

const mebibytes = 64
const millicores = 250
const registration = 'v1beta1.metrics.k8s.io'

function cluster(): readonly KubeObject[] {
  const amounts = { cpu: '4', memory: '8Gi', pods: '110' }
  const nodes = ['n1', 'n2'].map((name, at) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/os': 'linux', 'kubernetes.io/hostname': name } },
    status: {
      capacity: amounts,
      allocatable: amounts,
      addresses: [{ type: 'InternalIP', address: `10.0.0.${at + 1}` }],
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
    },
  }))
  const annotations = { 'ballast.dev/twin-usage-cpu': `${millicores}m`, 'ballast.dev/twin-usage-memory': `${mebibytes}Mi` }
  const template = {
    metadata: { labels: { app: 'web' }, annotations },
    spec: { containers: [{ name: 'main', image: 'registry.example/web:1' }] },
  }
  const spec = { replicas: 3, selector: { matchLabels: { app: 'web' } }, template }
  const workload = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' }, spec }
  return [...nodes, workload, ...upstreamMetricsRole]
}

/** Both print the same, and what they serve is what they scraped. */
async function twinIsScraped(): Promise<string> {
  const upstream = await upstreamPath('metrics-server')
  const kubectl = await kubectlPath('newest')
  await using stack = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'ballast-twin-metrics-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'cluster.json')
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: cluster() }))
  const twin = await startTwinProcess(['--cluster', file, '--open-kubelets'])
  stack.defer(() => twin.stop())
  const asked = async (words: readonly string[], input?: string) => {
    const flags = [`--kubeconfig=${twin.kubeconfig}`, `--cache-dir=${join(directory, 'cache')}`]
    return await runCommand(kubectl, [...flags, ...words], input === undefined ? {} : { input })
  }
  const told = async (words: readonly string[], input?: string) => {
    const { code, stdout, stderr } = await asked(words, input)
    if (code !== 0) throw new Error(`kubectl ${words.join(' ')}: ${stderr}`)
    return stdout
  }
  await told(['wait', '--for=condition=Available', 'deployment/web', '--timeout=60s'])
  const { name, namespace } = metricsAccount
  const token = (await told(['create', 'token', name, '-n', namespace, '--duration=2h'])).trim()
  const admin = readFileSync(twin.kubeconfig, 'utf8')
  const kubeconfig = stack.use(tokenKubeconfig(admin, token)).file
  const authority = join(directory, 'kubelets.pem')
  const data: string = parse(admin).clusters[0].cluster['certificate-authority-data']
  writeFileSync(authority, Buffer.from(data, 'base64'))

  const servers = await Promise.all(
    (
      [
        ['upstream', upstream, []],
        ['ours', process.execPath, [commandLine, 'metrics-server']],
      ] as const
    ).map(async ([which, program, before]) => {
      const port = await freePort()
      const flags = [
        ...['', 'authentication-', 'authorization-'].map(what => `--${what}kubeconfig=${kubeconfig}`),
        ...[`--secure-port=${port}`, '--bind-address=127.0.0.1', `--cert-dir=${join(directory, which)}`],
        ...['--metric-resolution=10s', '--kubelet-request-timeout=5s', '--kubelet-use-node-status-port'],
        ...['--kubelet-preferred-address-types=InternalIP', `--kubelet-certificate-authority=${authority}`],
      ]
      const child = spawn(program, [...before, ...flags], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'] },
      })
      stack.defer(() => ended(child))
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text
        })
      return { which, port, child, output: () => output }
    }),
  )
  const trusting = stack.adopt(new Agent({ connect: { rejectUnauthorized: false } }), agent => agent.destroy())
  for (const { which, port, child, output } of servers)
    await until(`${which} to be ready`, async () => {
      if (child.exitCode !== null) throw new Error(`${which} ended: ${output()}`)
      return await request(`https://127.0.0.1:${port}/readyz`, { dispatcher: trusting }).then(
        ({ statusCode }) => statusCode === 200,
        () => false,
      )
    })

  const window = async () => JSON.parse(await told(['get', '--raw', '/apis/metrics.k8s.io/v1beta1/nodes'])).items[0]?.window
  const top = async () => {
    const texts = [
      await told(['top', 'nodes', '--no-headers']),
      await told(['top', 'pods', '-A', '--containers', '--no-headers']),
    ]
    return texts.map(text => text.trim().replaceAll(/ +/g, ' ').replaceAll(/ $/gm, ''))
  }
  const own = await top()
  strictEqual(await window(), '15s', 'the twin answers by itself')
  const printed: (readonly string[])[] = []
  for (const { which, port, output } of servers) {
    await told(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: placed(which, port) }))
    await told(['wait', '--for=condition=Available', `apiservice/${registration}`, '--timeout=60s'])
    notStrictEqual(await window(), '15s', `${which} does not answer`)
    const [nodes = '', pods = ''] = await top()
    strictEqual(nodes.split('\n').length, 2, nodes)
    strictEqual(pods.split('\n').length, 3, pods)
    for (const line of pods.split('\n'))
      match(line, new RegExp(`^default web-\\S+ main (${millicores}|${millicores + 1})m ${mebibytes}Mi$`))
    ok(!/Failed to scrape|could not be scraped/.test(output()), output())
    printed.push([nodes, pods].map(text => text.replaceAll(`${millicores + 1}m`, `${millicores}m`)))
    await told(['delete', 'apiservice', registration])
  }
  strictEqual(printed[1]?.[1], printed[0]?.[1])
  strictEqual(await window(), '15s', 'the twin answers by itself again')
  strictEqual((await top()).join('\n'), own.join('\n'))
  return `both scraped ${printed[0]?.[0]?.split('\n').length} kubelets of the twin; kubectl top prints the same: ${printed[0]?.[1]?.split('\n')[0]}`
}

function placed(which: string, port: number): readonly KubeObject[] {
  const service = `metrics-${which}`
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: service, namespace: 'kube-system' },
      spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port, name: 'https' }] },
    },
    {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: registration },
      spec: {
        ...{ group: 'metrics.k8s.io', version: 'v1beta1', groupPriorityMinimum: 100, versionPriority: 100 },
        insecureSkipTLSVerify: true,
        service: { namespace: 'kube-system', name: service, port },
      },
    },
  ]
}

export const twinMetricsChecks: readonly Check[] = [
  { name: "metrics-server and ours scrape the twin's kubelets, and kubectl top prints it", run: twinIsScraped },
]
