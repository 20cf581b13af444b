// From Reloader to Ballast and back on a real control plane: no swap rolls anything out, and each change is acted on once.
import { match, ok, strictEqual } from 'node:assert'
import { join } from 'node:path'
import { untilEstablished } from '../ballast/example-cluster.ts'
import { commandLine } from '../ballast/site.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { eventuallySame, everything, kindsOf, runHook } from '../helm/lifecycle.ts'
import { commandOutput } from '../run-command.ts'
import { type Strategy, SwapSite } from './swap-site.ts'
import { shopSources } from './swap-workloads.ts'

const all = Object.values(shopSources)
const { db, settings, cloudflare, webDb } = shopSources
/** What comes twice comes within so long. */
const onceMs = 4_000
/** A new leader has read everything and looked at each workload, twice over. */
const swapMs = 12_000

/** By hand: upstream scaled to none, ours installed by Helm, and back. */
export async function judgeSwap(strategy: Strategy): Promise<string> {
  await using site = await SwapSite.open(strategy)
  const act = async (what: string, sources: typeof all, quietMs = onceMs) => {
    const before = site.counts()
    await site.change(sources)
    await site.acted(what, sources, before, quietMs)
  }
  await act('upstream, each source changed', all)
  await servePodMonitors(site)
  const before = await everything(site.kubectl)

  await site.scale('upstream', 0)
  await site.until('upstream has ended', () => !site.runs('upstream'))
  const gap = site.counts()
  await site.change([db, settings, cloudflare])
  await installOurs(site, strategy)
  await site.acted('taken over, three sources changed meanwhile', [db, settings, cloudflare], gap, swapMs)
  await act('ours, each source changed', all)
  const same = site.counts()
  await site.writeAgain(webDb)
  await site.acted('ours, equal data', [], same, onceMs)

  const back = site.counts()
  await site.scale('ours', 0)
  await site.until('ours has ended', () => !site.runs('ours'))
  await site.scale('upstream', 1)
  await site.until('upstream runs', () => site.runs('upstream'))
  await site.acted('back to upstream', [], back, onceMs)
  await act('upstream again, each source changed', all)
  await site.judgeReplicaSets()

  await uninstall(site, before)
  return `${site.upstreamBy}, ${strategy}: 3 × ${all.length} changes and 3 in the gap acted on once, no roll-out by either swap, nothing left`
}

const release = join(import.meta.dirname, '..', '..', 'fixtures', 'repositories', 'utilities', 'reloader', 'helmrelease.yaml')

/** With the values of the utilities homelab (chart 2.2.7, PodMonitor, read-only root), as `ballast migrate values` turns them into ours. */
async function installOurs(site: SwapSite, strategy: Strategy): Promise<void> {
  const converted = await commandOutput(
    process.execPath,
    [commandLine, 'migrate', 'values', '--from', 'reloader@2.2.7', release],
    {},
  )
  const values = site.chart.write('migrated.yaml', converted)
  const reload = ['--set', `capabilities.reload.reloadStrategy=${strategy}`]
  await site.helm('install', 'ballast', site.chart.directory, '--create-namespace', '-f', values, ...reload)
  const get = (...what: readonly string[]) => site.kubectl(['get', ...what, '-n', 'ballast-system', '-o', 'json'])
  const monitors: { readonly items: readonly ApiObject[] } = JSON.parse(await get('podmonitors.monitoring.coreos.com'))
  strictEqual(monitors.items.length, 1)
  const deployment: {
    readonly spec: {
      readonly template: {
        readonly spec: {
          readonly containers: readonly { readonly securityContext?: { readonly readOnlyRootFilesystem?: boolean } }[]
        }
      }
    }
  } = JSON.parse(await get('deployment', 'ballast-controller'))
  const { containers } = deployment.spec.template.spec
  ok(containers.length > 0 && containers.every(({ securityContext }) => securityContext?.readOnlyRootFilesystem === true))
}

/** The kind alone: nobody acts on it here. */
async function servePodMonitors({ client }: SwapSite): Promise<void> {
  const [group, plural] = ['monitoring.coreos.com', 'podmonitors']
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  const name = `${plural}.${group}`
  await client.want('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, singular: 'podmonitor', kind: 'PodMonitor', listKind: 'PodMonitorList' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  })
  await untilEstablished(client, name)
}

/** `helm uninstall` with its hook: what was there before ours is there, and our kinds. */
async function uninstall(site: SwapSite, before: readonly string[]): Promise<void> {
  const over = new AbortController()
  const [, hook] = await Promise.all([
    site.helm('uninstall', 'ballast', '--wait', '--timeout', '200s').finally(() => over.abort()),
    runHook({ kubectl: site.kubectl, plane: site.plane, signal: over.signal }),
  ])
  match(hook, /^0 /)
  await site.kubectl(['delete', 'namespace', 'ballast-system', '--timeout=60s'])
  // What a roll-out makes has another name each time, and upstream's pod is another.
  const isSteady = (line: string) => !/ (shop|reloader)\//.test(line)
  const read = async () => (await everything(site.kubectl)).filter(isSteady)
  await eventuallySame(read, [...before.filter(isSteady), ...kindsOf(await everything(site.kubectl))], 'after helm uninstall')
}
