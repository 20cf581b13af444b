// Which upstreams are there, which do what somebody else does already, and which of them lead.

import { isWanted, numberAt, shown, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { gitopsOwner, shownOwner } from '#upstreams/gitops-owner.ts'
import { ownProgramIn } from '#upstreams/own-program.ts'
import { type FoundUpstream, findUpstreams, isOwnPart } from '#upstreams/recognition.ts'
import { upstreams } from '#upstreams/upstreams.ts'
import { capabilityFindings } from './capability-findings.ts'
import { type ClusterFacts, ofKind } from './facts.ts'
import { type Finding, finding } from './finding.ts'
import { isOwnDeployment } from './own-facts.ts'

export function checkUpstreams(facts: ClusterFacts): readonly Finding[] {
  const found = findUpstreams(facts.objects)
  return [...present(facts, found), ...doubleDuty(facts, found), ...leases(facts, found)]
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
    const program = ownProgramIn(upstream, workload)
    if (program !== undefined)
      return finding('upstream-present', {
        object: shown(workload),
        capability: upstream.capability,
        message: `ballast ${program.command} runs in the place of ${upstream.name}'s${text === '' ? '' : ` (${text})`}${isLive ? '' : ', scaled to none'}`,
        fix: `nothing to do; ballast migrate apply ${upstream.replaced?.id} --all --back brings upstream's program back`,
      })
    return finding('upstream-present', {
      object: shown(workload),
      capability: upstream.capability,
      message: `${upstream.name}${text === '' ? '' : ` (${text})`} is installed${isLive ? '' : ', scaled to none'}${role}`,
      fix:
        upstream.replaced === undefined
          ? `nothing to do: Ballast leaves ${upstream.name} alone`
          : `ballast migrate plan ${upstream.replaced.id}`,
    })
  })
}

function doubleDuty(facts: ClusterFacts, found: readonly FoundUpstream[]): readonly Finding[] {
  const live = found.filter(({ isLive }) => isLive)
  return [...ownDouble(facts, found), ...processesBeside(facts, live), ...twins(live), ...ownTwins(facts)]
}

/** Ours and theirs, both at work. */
function ownDouble(facts: ClusterFacts, found: readonly FoundUpstream[]): readonly Finding[] {
  return found
    .filter(
      ({ upstream, workload, isLive }) =>
        isLive && isAtWork(facts, upstream.capability) && upstream.doesNoJob?.(workload) !== true,
    )
    .map(({ upstream, workload }) => {
      const program = ownProgramIn(upstream, workload)
      const who = program === undefined ? upstream.name : `ballast ${program.command}, in the place of ${upstream.name}'s,`
      const lease = isGuarded(upstream)
        ? leases(facts, found).find(({ capability }) => capability === upstream.capability)
        : undefined
      const alone = upstream.beside?.(workload) ?? 'both act'
      const outcome = lease === undefined ? alone : `ours waits for ${lease.object}, which it renews, and does nothing meanwhile`
      return finding('double-duty', {
        object: shown(workload),
        capability: upstream.capability,
        message: `${who} runs beside Ballast's ${upstream.capability}: ${outcome}`,
        fix: `${endCommand(upstream, workload)}   # or capabilities.${upstream.capability}.enabled: false`,
      })
    })
}

/** Does ours wait for its Lease? Where it does not, both act. */
function isGuarded({ capability, leases: own }: FoundUpstream['upstream']): boolean {
  const replaces = enabledCapabilities.find(({ name }) => name === capability)?.replaces ?? []
  return replaces.some(one => one.leases.some(lease => own.includes(lease)))
}

/** Upstream's beside a process of ours that runs by upstream's settings. */
function processesBeside(facts: ClusterFacts, live: readonly FoundUpstream[]): readonly Finding[] {
  return live.flatMap(({ upstream, workload }) => {
    const part = upstream.replaced?.swap.part
    if (part?.kind !== 'process') return []
    const own = facts.objects.filter(one => isOwnPart(one, part.component) && isWanted(one))
    return own.map(ours => {
      const [lease, other] = [upstream.leaseOf?.(ours), upstream.leaseOf?.(workload)]
      const outcome =
        lease !== undefined && lease === other
          ? `both stand for Lease ${lease}, so one of them does nothing`
          : 'what one has moved the other may move again, and limits per node, namespace and cycle hold for each of them alone'
      return finding('double-duty', {
        object: shown(workload),
        capability: upstream.capability,
        message: `${upstream.name} runs beside Ballast's own, ${shown(ours)}: ${outcome}`,
        fix: `${stopCommand(workload)}   # or ballast migrate apply ${upstream.replaced?.id}`,
      })
    })
  })
}

/** Is ours enabled, and has anything to do? */
function isAtWork(facts: ClusterFacts, capability: string): boolean {
  if (facts.ours?.isRunning !== true || !facts.ours.enabled.includes(capability)) return false
  return capabilityFindings.get(capability)?.isAtWork?.(facts) ?? true
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
function twins(live: readonly FoundUpstream[]): readonly Finding[] {
  return live.flatMap((one, index) => {
    const { upstream } = one
    if (upstream.twice === undefined) return []
    const { verb, scope = () => undefined } = upstream.twice
    return live.slice(index + 1).flatMap(other => {
      if (other.upstream !== upstream) return []
      const shared = sharedScope(scope(one.workload), scope(other.workload))
      if (shared === undefined) return []
      return [
        finding('double-duty', {
          object: shown(other.workload),
          capability: upstream.capability,
          message: `two of ${upstream.name}: ${shown(one.workload)} ${verb} in ${shared}, too`,
          fix: stopCommand(other.workload),
        }),
      ]
    })
  })
}

function sharedScope(a: readonly string[] | undefined, b: readonly string[] | undefined): string | undefined {
  if (a === undefined && b === undefined) return 'all namespaces'
  if (a === undefined) return (b ?? []).join(', ')
  if (b === undefined) return a.join(', ')
  const both = a.filter(name => b.includes(name))
  return both.length === 0 ? undefined : both.join(', ')
}

/** How upstream is to end its work: where callers are led to it, they are led elsewhere first. */
function endCommand({ replaced }: FoundUpstream['upstream'], workload: KubeObject): string {
  // Ended by hand it leaves callers, or nodes, with nothing for a while.
  const part = replaced?.swap.part
  const isStepByStep = part !== undefined && (['api', 'led-api', 'offering', 'by-hand'].includes(part.kind) || 'leader' in part)
  return isStepByStep && replaced !== undefined ? `ballast migrate plan ${replaced.id}` : stopCommand(workload)
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

/** Whether ours runs where upstream's leader did: it holds the Lease under the name of its pod, or waits for one that ends. */
function isOwnProgramsLease(upstream: FoundUpstream['upstream'], lease: KubeObject, found: readonly FoundUpstream[]): boolean {
  return found.some(
    ({ upstream: other, workload }) =>
      other === upstream &&
      workload.metadata.namespace === lease.metadata.namespace &&
      ownProgramIn(other, workload)?.electedBy !== undefined,
  )
}

function leases(facts: ClusterFacts, found: readonly FoundUpstream[]): readonly Finding[] {
  const own = ownHolders(facts)
  return ofKind(facts, 'Lease').flatMap(lease => {
    const upstream = upstreams.find(one => one.leases.includes(lease.metadata.name))
    const holder = textAt(lease, 'spec', 'holderIdentity') ?? ''
    const renewedMs = Date.parse(textAt(lease, 'spec', 'renewTime') ?? '')
    const durationMs = (numberAt(lease, 'spec', 'leaseDurationSeconds') ?? 15) * 1000
    const isOurs = holder.startsWith('ballast') || own.has(holder)
    if (upstream !== undefined && isOwnProgramsLease(upstream, lease, found)) return []
    if (upstream === undefined || holder === '' || isOurs || Number.isNaN(renewedMs) || facts.nowMs - renewedMs >= 2 * durationMs)
      return []
    const seconds = Math.max(0, Math.round((facts.nowMs - renewedMs) / 1000))
    return [
      finding('lease-held', {
        object: shown(lease),
        capability: upstream.capability,
        message: `${holder} of ${upstream.name} leads: renewed ${seconds} s ago, for ${durationMs / 1000} s at a time${isGuarded(upstream) || upstream.replaced === undefined ? `; Ballast's ${upstream.capability} waits for it` : ''}`,
        fix: `stop ${upstream.name}, then wait ${durationMs / 1000} s`,
      }),
    ]
  })
}
