// The chart and the plain manifests through their lives on a real control plane: applied twice, installed, upgraded, rolled back, removed.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { installationValues, plainRelease } from '../../../src/deployment/installation.ts'
import { objects } from '../../../src/deployment/objects.ts'
import { chartFiles } from '../../../src/deployment/packaging/chart.ts'
import { yamlDocuments } from '../../../src/deployment/yaml-text.ts'
import { enabledCapabilities } from '../../../src/process/enabled-capabilities.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import { commandLine, listOf } from '../ballast/site.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { commandOutput, runCommand } from '../run-command.ts'
import { helmChart } from './helm.ts'

const capabilities = enabledCapabilities
const namespace = 'ballast-system'

export type Kubectl = (args: readonly string[], input?: string) => Promise<string>

export async function kubectlOf(plane: ControlPlane): Promise<Kubectl> {
  const program = await kubectlPath('newest')
  return (args, input) =>
    commandOutput(program, [`--kubeconfig=${plane.kubeconfig}`, ...args], {
      timeoutMs: 180_000,
      ...(input === undefined ? {} : { input }),
    })
}

/** Everything on the server by name, without what comes and goes by itself. */
export async function everything(kubectl: Kubectl): Promise<readonly string[]> {
  const kinds = (await kubectl(['api-resources', '--verbs=list', '-o', 'name'])).trim().split('\n')
  const lively =
    /^(events|leases|endpoints|endpointslices|componentstatuses|flowschemas|prioritylevelconfigurations|ipaddresses)(\.|$)/
  const names = kinds.filter(kind => !lively.test(kind)).join(',')
  const text = await kubectl([
    'get',
    names,
    '-A',
    '--ignore-not-found',
    '-o',
    'jsonpath={range .items[*]}{.apiVersion} {.kind} {.metadata.namespace}/{.metadata.name}{"\\n"}{end}',
  ])
  return text.trim().split('\n').sort()
}

export async function eventuallySame(
  read: () => Promise<readonly string[]>,
  wanted: readonly string[],
  what: string,
): Promise<void> {
  const untilMs = Date.now() + 90_000
  for (;;) {
    const found = await read()
    const extra = found.filter(one => !wanted.includes(one))
    const missing = wanted.filter(one => !found.includes(one))
    if (extra.length === 0 && missing.length === 0) return
    ok(Date.now() < untilMs, `${what}: still there: ${extra.join(', ')}; gone: ${missing.join(', ')}`)
    await pause(500)
  }
}

/** The kinds, and the version that the API server registers for them by itself. */
export const kindsOf = (list: readonly string[]) =>
  list.filter(line => / (CustomResourceDefinition|APIService) .*\.ballast\.dev$/.test(line))

/** `kubectl apply` of the manifests: as a dry run, for real, again without a change; then `ballast uninstall`. */
export async function judgeManifests(): Promise<string> {
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: true })
  try {
    const kubectl = await kubectlOf(plane)
    const before = await everything(kubectl)
    const values = installationValues({ preset: { namespace: { create: true } }, enable: ['reload'] }, capabilities)
    const made = objects(values, { capabilities, release: plainRelease('ballast', namespace) })
    const text = yamlDocuments(made)
    const own = made.filter(({ kind }) => kind === 'Namespace' || kind === 'CustomResourceDefinition')
    await kubectl(['apply', '--server-side', '-f', '-'], yamlDocuments(own))
    await kubectl(['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-'], text)
    await kubectl(['apply', '--server-side', '--validate=strict', '-f', '-'], text)
    const versions = async () =>
      (
        await kubectl(
          ['get', '-f', '-', '-o', 'jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.generation}{"\\n"}{end}'],
          text,
        )
      ).trim()
    const first = await versions()
    await kubectl(['apply', '--server-side', '--validate=strict', '-f', '-'], text)
    strictEqual(await versions(), first)
    const difference = await runCommand(
      await kubectlPath('newest'),
      [`--kubeconfig=${plane.kubeconfig}`, 'diff', '--server-side', '-f', '-'],
      { input: text, timeoutMs: 120_000 },
    )
    strictEqual(difference.code, 0, `kubectl diff after apply: ${difference.stdout}`)
    // Nothing runs the controller's pods here; it is at nothing at once.
    const removed = await runCommand(process.execPath, [commandLine, 'uninstall', '--yes', '--kubeconfig', plane.kubeconfig], {
      timeoutMs: 180_000,
    })
    // Pods that nobody runs stay until somebody says that they are gone.
    strictEqual(removed.code === 0 || /still runs/.test(removed.stderr), true, removed.stderr)
    await clearPods(kubectl)
    const after = await everything(kubectl)
    await eventuallySame(() => everything(kubectl), [...before, ...kindsOf(after)], 'after ballast uninstall')
    strictEqual(kindsOf(after).length, 4)
    return `${made.length} objects applied twice, taken away by ballast uninstall`
  } finally {
    await plane.stop()
  }
}

/** What a kubelet does with pods that are to go. */
export async function clearPods(kubectl: Kubectl): Promise<void> {
  await kubectl([
    'delete',
    'pods',
    '-l',
    'app.kubernetes.io/component=controller',
    '-n',
    namespace,
    '--force',
    '--grace-period=0',
    '--ignore-not-found',
  ])
}

interface Hook {
  readonly kubectl: Kubectl
  readonly plane: ControlPlane
  readonly signal: AbortSignal
}

/** Does what a kubelet would do with the hook's Job: runs its command with its ServiceAccount's token, and says how it ended. */
export async function runHook({ kubectl, plane, signal }: Hook): Promise<string> {
  for (;;) {
    signal.throwIfAborted()
    const { status, body } = await plane.client.send('GET', `/apis/batch/v1/namespaces/${namespace}/jobs/ballast-uninstall`)
    if (status === 200) {
      const job = body as ApiObject & {
        readonly spec: {
          readonly template: {
            readonly spec: {
              readonly serviceAccountName: string
              readonly containers: readonly { readonly args: readonly string[] }[]
            }
          }
        }
      }
      const { serviceAccountName, containers } = job.spec.template.spec
      await clearPods(kubectl)
      const token = (await kubectl(['create', 'token', serviceAccountName, '-n', namespace])).trim()
      using config = tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), token)
      const clearing = setInterval(() => void clearPods(kubectl).catch(() => undefined), 2_000) // the check's own calls tell more
      const ran = await runCommand(process.execPath, [commandLine, ...(containers[0]?.args ?? []), '--kubeconfig', config.file], {
        timeoutMs: 170_000,
      })
      clearInterval(clearing)
      await endPods(plane, ran.code)
      return `${ran.code} ${ran.stdout}${ran.stderr}`
    }
    await pause(200, undefined, { signal })
  }
}

/** What a kubelet says of pods whose only container ended. */
async function endPods({ client }: ControlPlane, exitCode: number): Promise<void> {
  const pods = await listOf<ApiObject>(client, `/api/v1/namespaces/${namespace}/pods?labelSelector=job-name%3Dballast-uninstall`)
  const at = new Date().toISOString()
  const terminated = { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', startedAt: at, finishedAt: at }
  for (const { metadata } of pods)
    await client.want('PATCH', `/api/v1/namespaces/${namespace}/pods/${metadata.name}/status`, {
      status: {
        phase: exitCode === 0 ? 'Succeeded' : 'Failed',
        containerStatuses: [
          { name: 'uninstall', image: 'x', imageID: 'x', ready: false, restartCount: 0, state: { terminated } },
        ],
      },
    })
}

/** `helm install`, `upgrade`, `rollback`, `uninstall`: nothing is left but the kinds. */
export async function judgeRelease(): Promise<string> {
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: true })
  try {
    using chart = await helmChart(chartFiles(capabilities))
    const kubectl = await kubectlOf(plane)
    const before = await everything(kubectl)
    const helm = (...args: readonly string[]) => chart.want([...args, '--kubeconfig', plane.kubeconfig, '-n', namespace], 240_000)
    await helm(
      'install',
      'ballast',
      chart.directory,
      '--create-namespace',
      '--set',
      'capabilities.reload.enabled=true',
      '--dry-run=server',
    )
    await helm('install', 'ballast', chart.directory, '--create-namespace', '--set', 'capabilities.reload.enabled=true')
    const template = () =>
      kubectl(['get', 'deployment', 'ballast-controller', '-n', namespace, '-o', 'jsonpath={.spec.template}'])
    const config = () => kubectl(['get', 'configmap', 'ballast-config', '-n', namespace, '-o', 'jsonpath={.data}'])
    const first = { template: await template(), config: await config() }
    // What takes effect without a restart does not touch the pods.
    await helm(
      'upgrade',
      'ballast',
      chart.directory,
      '--reuse-values',
      '--set',
      'capabilities.reload.autoReloadAll=true',
      '--set',
      'arbiter.freeze=true',
    )
    strictEqual(await template(), first.template)
    match(await config(), /autoReloadAll: true/)
    await helm(
      'upgrade',
      'ballast',
      chart.directory,
      '--reuse-values',
      '--set',
      'process.logLevel=debug',
      '--set',
      'capabilities.reload.argoRollouts=true',
    )
    ok((await template()) !== first.template, 'a change of `process` starts the pods anew')
    match(await kubectl(['get', 'clusterrole', 'ballast-controller-workloads', '-o', 'json']), /argoproj\.io/)
    await helm('rollback', 'ballast', '1')
    deepStrictEqual({ template: await template(), config: await config() }, first)
    const slip = await chart.run([
      'upgrade',
      'ballast',
      chart.directory,
      '--set',
      'controler.replicas=3',
      '-n',
      namespace,
      '--kubeconfig',
      plane.kubeconfig,
    ])
    ok(slip.code !== 0 && slip.stderr.includes('controler'), slip.stderr)
    // A node that Ballast has tainted, for the hook to find.
    await plane.client.want('POST', '/api/v1/nodes', {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1' },
      spec: { taints: [{ key: 'ballast.dev/rebalance', value: 'plan', effect: 'PreferNoSchedule' }] },
    })
    const over = new AbortController()
    const [, hook] = await Promise.all([
      helm('uninstall', 'ballast', '--wait', '--timeout', '200s').finally(() => over.abort()),
      runHook({ kubectl, plane, signal: over.signal }),
    ])
    match(hook, /^0 /)
    ok(!/left:/.test(hook), hook)
    match(hook, /take taint ballast\.dev\/rebalance off Node n1/)
    strictEqual(await kubectl(['get', 'node', 'n1', '-o', 'jsonpath={.spec.taints[?(@.key=="ballast.dev/rebalance")]}']), '')
    await kubectl(['delete', 'node', 'n1'])
    await clearPods(kubectl)
    await kubectl(['delete', 'namespace', namespace, '--timeout=60s'])
    const kinds = kindsOf(await everything(kubectl))
    strictEqual(kinds.length, 4)
    await eventuallySame(() => everything(kubectl), [...before, ...kinds], 'after helm uninstall')
    return 'installed, upgraded twice, rolled back, uninstalled with its hook; three kinds are left'
  } finally {
    await plane.stop()
  }
}
