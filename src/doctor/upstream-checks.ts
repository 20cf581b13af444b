// Which upstreams are there, which do what somebody else does already, and which of them lead.

import { isWanted, listAt, numberAt, shown, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { deschedulerFlags } from '#upstreams/descheduler-workload.ts'
import { type ClusterFacts, ofKind } from './facts.ts'
import { type Finding, finding } from './finding.ts'
import { gitopsOwner, shownOwner } from './gitops-owner.ts'
import { isOwnDescheduler } from './own-descheduler.ts'
import { isOwnDeployment } from './own-facts.ts'
import { type FoundUpstream, findUpstreams, upstreams } from './upstreams.ts'

export function checkUpstreams(facts: ClusterFacts): readonly Finding[] {
  const found = findUpstreams(facts)
  return [...present(facts, found), ...doubleDuty(facts, found), ...leases(facts)]
}

/** How Ballast is moved to, from those that it can be moved to from already. */
const moving: Readonly<Record<string, string>> = {
  reload: 'ballast migrate plan reloader',
  mirror: 'ballast migrate plan spegel',
  deschedule: 'ballast migrate plan descheduler',
}

function present(facts: ClusterFacts, found: readonly FoundUpstream[]): readonly Finding[] {
  return found.map(({ upstream, workload, version, chart, isLive }) => {
    const owner = gitopsOwner(workload)
    const about = [
      version,
      chart === undefined ? undefined : `chart ${chart}`,
      owner === undefined ? undefined : shownOwner(owner),
    ]
    const role =
      facts.ours?.enabled.includes(upstream.capability) === true ? `; Ballast's ${upstream.capability} is enabled, too` : ''
    const text = about.filter(part => part !== undefined).join(', ')
    return finding('upstream-present', {
      object: shown(workload),
      capability: upstream.capability,
      message: `${upstream.name}${text === '' ? '' : ` (${text})`} is installed${isLive ? '' : ', scaled to none'}${role}`,
      fix: moving[upstream.capability] ?? `nothing to do: Ballast leaves ${upstream.name} alone`,
    })
  })
}

function doubleDuty(facts: ClusterFacts, found: readonly FoundUpstream[]): readonly Finding[] {
  const live = found.filter(({ isLive }) => isLive)
  return [
    ...ownDouble(facts, live),
    ...deschedulersBeside(facts, live),
    ...twins(live, 'Reloader', 'reloads'),
    ...twins(live, 'descheduler', 'evicts'),
    ...ownTwins(facts),
  ]
}

/** Ours and theirs, both at work. */
function ownDouble(facts: ClusterFacts, live: readonly FoundUpstream[]): readonly Finding[] {
  return live
    .filter(({ upstream }) => isAtWork(facts, upstream.capability))
    .map(({ upstream, workload }) => {
      const lease = leases(facts).find(({ capability }) => capability === upstream.capability)
      const alone = writesHostsFiles(workload)
        ? "both write containerd's hosts files, and its uninstall deletes all of them but its backup (take spegel.containerdMirrorAdd away first)"
        : upstream.capability === 'deschedule'
          ? 'both act, and what a plan has placed its strategies may evict'
          : 'both act'
      const outcome = lease === undefined ? alone : `ours waits for ${lease.object}, which it renews, and does nothing meanwhile`
      return finding('double-duty', {
        object: shown(workload),
        capability: upstream.capability,
        message: `${upstream.name} runs beside Ballast's ${upstream.capability}: ${outcome}`,
        fix: `${stopCommand(workload)}   # or capabilities.${upstream.capability}.enabled: false`,
      })
    })
}

/** Upstream's beside ours that runs by upstream's policy. */
function deschedulersBeside(facts: ClusterFacts, live: readonly FoundUpstream[]): readonly Finding[] {
  const own = ofKind(facts, 'Deployment', 'CronJob').filter(one => isOwnDescheduler(one) && isWanted(one))
  const theirs = live.filter(({ upstream }) => upstream.name === 'descheduler')
  return theirs.flatMap(({ workload }) =>
    own.map(ours => {
      const [lease, other] = [leaseOf(ours), leaseOf(workload)]
      const outcome =
        lease !== undefined && lease === other
          ? `both stand for Lease ${lease}, so one of them does nothing`
          : 'what one has moved the other may move again, and limits per node, namespace and cycle hold for each of them alone'
      return finding('double-duty', {
        object: shown(workload),
        capability: 'deschedule',
        message: `descheduler runs beside Ballast's own, ${shown(ours)}: ${outcome}`,
        fix: `${stopCommand(workload)}   # or ballast migrate apply descheduler`,
      })
    }),
  )
}

/** `namespace/name` of the Lease by which it elects a leader; `undefined`: it does not. */
function leaseOf(workload: KubeObject): string | undefined {
  const flags = deschedulerFlags({ ...workload })
  if (!flags.has('leader-elect') || flags.get('leader-elect') === 'false') return undefined
  return `${flags.get('leader-elect-resource-namespace') ?? 'kube-system'}/${flags.get('leader-elect-resource-name') ?? 'descheduler'}`
}

/** Has it the init container by which Spegel writes containerd's hosts files? */
function writesHostsFiles(workload: KubeObject): boolean {
  const containers = listAt(templateOf(workload), 'spec', 'initContainers')
  return containers.some(container => {
    const words = [...listAt(container, 'command'), ...listAt(container, 'args')]
    return words.includes('configuration') && words.some(word => String(word).startsWith('--mirror-targets'))
  })
}

/** Is ours enabled, and has anything to do? Rebalancing does nothing without a policy. */
function isAtWork(facts: ClusterFacts, capability: string): boolean {
  if (facts.ours?.isRunning !== true || !facts.ours.enabled.includes(capability)) return false
  if (capability !== 'deschedule') return true
  const isRead = !facts.unread.some(({ kind }) => kind === 'rebalancepolicies.ballast.dev')
  return !isRead || ofKind(facts, 'RebalancePolicy', 'rebalancepolicies').length > 0
}

/** Two installations of Ballast: each has a Lease of its own namespace, so neither waits for the other. */
function ownTwins(facts: ClusterFacts): readonly Finding[] {
  const [first, ...more] = ofKind(facts, 'Deployment').filter(one => isOwnDeployment(one) && isWanted(one))
  if (first === undefined) return []
  return more.map(other =>
    finding('double-duty', {
      object: shown(other),
      message: `a second Ballast: ${shown(first)} runs, too, and each has an arbiter of its own`,
      fix: stopCommand(other),
    }),
  )
}

/** The same upstream twice, where both look at the same namespaces. */
function twins(live: readonly FoundUpstream[], name: string, verb: string): readonly Finding[] {
  const same = live.filter(({ upstream }) => upstream.name === name)
  return same.flatMap((one, index) =>
    same.slice(index + 1).flatMap(other => {
      const shared = sharedScope(scopeOf(one), scopeOf(other))
      if (shared === undefined) return []
      return [
        finding('double-duty', {
          object: shown(other.workload),
          capability: other.upstream.capability,
          message: `two of ${name}: ${shown(one.workload)} ${verb} in ${shared}, too`,
          fix: stopCommand(other.workload),
        }),
      ]
    }),
  )
}

/** Namespaces that a Reloader watches; `undefined`: all. */
function scopeOf({ upstream, workload }: FoundUpstream): readonly string[] | undefined {
  if (upstream.name !== 'Reloader') return undefined
  const containers = listAt(templateOf(workload), 'spec', 'containers')
  const words = containers.flatMap(container => [...listAt(container, 'args'), ...listAt(container, 'command')])
  const named = words.flatMap((word, index) => {
    const [flag, value] = String(word).split('=', 2)
    return flag === '--namespaces' ? String(value ?? words[index + 1] ?? '').split(',') : []
  })
  if (named.length > 0) return named
  const isOne = containers
    .flatMap(container => listAt(container, 'env'))
    .some(one => textAt(one, 'name') === 'KUBERNETES_NAMESPACE')
  return isOne ? [workload.metadata.namespace ?? 'default'] : undefined
}

function sharedScope(a: readonly string[] | undefined, b: readonly string[] | undefined): string | undefined {
  if (a === undefined && b === undefined) return 'all namespaces'
  if (a === undefined) return (b ?? []).join(', ')
  if (b === undefined) return a.join(', ')
  const both = a.filter(name => b.includes(name))
  return both.length === 0 ? undefined : both.join(', ')
}

function stopCommand({ kind, metadata: { namespace = 'default', name } }: KubeObject): string {
  if (kind === 'CronJob') return `kubectl -n ${namespace} patch cronjob ${name} -p '{"spec":{"suspend":true}}'`
  if (kind === 'DaemonSet') return `kubectl -n ${namespace} delete daemonset ${name}`
  return `kubectl -n ${namespace} scale ${kind.toLowerCase()} ${name} --replicas=0`
}

/** Who leads ours, under whatever name: it holds an upstream's Lease as well while it stands in for it. */
function ownHolders(facts: ClusterFacts): ReadonlySet<string> {
  const own = ofKind(facts, 'Lease').filter(({ metadata }) => metadata.name === 'ballast-controller')
  return new Set(own.flatMap(lease => textAt(lease, 'spec', 'holderIdentity') ?? []).filter(holder => holder !== ''))
}

function leases(facts: ClusterFacts): readonly Finding[] {
  const own = ownHolders(facts)
  return ofKind(facts, 'Lease').flatMap(lease => {
    const upstream = upstreams.find(one => one.leases.includes(lease.metadata.name))
    const holder = textAt(lease, 'spec', 'holderIdentity') ?? ''
    const renewedMs = Date.parse(textAt(lease, 'spec', 'renewTime') ?? '')
    const durationMs = (numberAt(lease, 'spec', 'leaseDurationSeconds') ?? 15) * 1000
    const isOurs = holder.startsWith('ballast') || own.has(holder)
    if (upstream === undefined || holder === '' || isOurs || Number.isNaN(renewedMs) || facts.nowMs - renewedMs >= 2 * durationMs)
      return []
    const seconds = Math.max(0, Math.round((facts.nowMs - renewedMs) / 1000))
    return [
      finding('lease-held', {
        object: shown(lease),
        capability: upstream.capability,
        message: `${holder} of ${upstream.name} leads: renewed ${seconds} s ago, for ${durationMs / 1000} s at a time; Ballast's ${upstream.capability} waits for it`,
        fix: `stop ${upstream.name}, then wait ${durationMs / 1000} s`,
      }),
    ]
  })
}
