// What somebody left behind who is gone: finalizers, taints, gates, labels.

import { listAt, shown, textAt } from '#kube/objects/object-fields.ts'
import { findUpstreams } from '#upstreams/recognition.ts'
import type { Upstream } from '#upstreams/upstream.ts'
import { upstreams } from '#upstreams/upstreams.ts'
import { type ClusterFacts, ofKind } from './facts.ts'
import { type Finding, finding } from './finding.ts'

/** Our own taints, gates and finalizers begin so. */
const ownPrefix = 'ballast.dev/'
/** Owners need a moment for what they are to finish. */
const patienceMs = 5 * 60_000

export function checkLeftovers(facts: ClusterFacts): readonly Finding[] {
  const live = new Set(findUpstreams(facts.objects).flatMap(({ upstream, isLive }) => (isLive ? [upstream.name] : [])))
  const gone = (upstream: Upstream) => !live.has(upstream.name)
  return [...finalizers(facts, gone), ...taints(facts, gone), ...gates(facts), ...labels(facts, gone)]
}

type Gone = (upstream: Upstream) => boolean

function finalizers(facts: ClusterFacts, gone: Gone): readonly Finding[] {
  return facts.objects.flatMap(object => {
    const { deletionTimestamp, finalizers: held = [], namespace, name } = object.metadata
    if (deletionTimestamp === undefined || facts.nowMs - Date.parse(deletionTimestamp) < patienceMs) return []
    return held.flatMap(finalizer => {
      const upstream = upstreams.find(one => one.finalizers.some(pattern => pattern.test(finalizer)))
      const isOurs = finalizer.startsWith(ownPrefix) && facts.ours?.isRunning !== true
      if (!isOurs && (upstream === undefined || !gone(upstream))) return []
      const whose = upstream?.name ?? 'Ballast'
      const place = namespace === undefined ? '' : ` -n ${namespace}`
      const index = held.indexOf(finalizer)
      return [
        finding('finalizer-orphan', {
          object: shown(object),
          message: `is being deleted since ${deletionTimestamp} and waits for ${whose} to take ${finalizer} away, which does not run`,
          fix: `start ${whose} again, or, if nothing outside the cluster is left behind: kubectl${place} patch ${object.kind.toLowerCase()} ${name} --type json -p '[{"op":"remove","path":"/metadata/finalizers/${index}"}]'`,
        }),
      ]
    })
  })
}

function taints(facts: ClusterFacts, gone: Gone): readonly Finding[] {
  return ofKind(facts, 'Node').flatMap(node =>
    listAt(node, 'spec', 'taints').flatMap(taint => {
      const key = textAt(taint, 'key') ?? ''
      const upstream = upstreams.find(one => one.taints.some(pattern => pattern.test(key)))
      const isOurs = key.startsWith(ownPrefix) && facts.ours?.isRunning !== true
      if (!isOurs && (upstream === undefined || !gone(upstream))) return []
      return [
        finding('stale-taints', {
          object: shown(node),
          message: `taint ${key}:${textAt(taint, 'effect') ?? ''} is ${upstream?.name ?? 'Ballast'}'s, which does not run: nobody takes it away`,
          fix: `kubectl taint node ${node.metadata.name} ${key}-`,
        }),
      ]
    }),
  )
}

function gates(facts: ClusterFacts): readonly Finding[] {
  if (facts.ours?.isRunning === true) return []
  return ofKind(facts, 'Pod').flatMap(pod =>
    listAt(pod, 'spec', 'schedulingGates').flatMap((gate, index) => {
      const name = textAt(gate, 'name') ?? ''
      if (!name.startsWith(ownPrefix)) return []
      const { namespace = 'default', name: podName } = pod.metadata
      return [
        finding('stale-taints', {
          object: shown(pod),
          message: `waits at scheduling gate ${name}, which is Ballast's, and Ballast does not run`,
          fix: `kubectl -n ${namespace} patch pod ${podName} --type json -p '[{"op":"remove","path":"/spec/schedulingGates/${index}"}]'`,
        }),
      ]
    }),
  )
}

/** One finding for an upstream, not one a node. */
function labels(facts: ClusterFacts, gone: Gone): readonly Finding[] {
  const nodes = ofKind(facts, 'Node')
  return upstreams
    .filter(upstream => upstream.nodeLabels.length > 0 && gone(upstream))
    .flatMap(upstream => {
      const isItsOwn = (key: string) => upstream.nodeLabels.some(pattern => pattern.test(key))
      const labelled = nodes.filter(node => Object.keys(node.metadata.labels ?? {}).some(isItsOwn))
      const [first] = labelled
      if (first === undefined) return []
      const keys = Object.keys(first.metadata.labels ?? {}).filter(isItsOwn)
      return [
        finding('stale-labels', {
          object: shown(first),
          message: `${labelled.length} nodes carry labels of ${upstream.name}, which does not run: ${keys.slice(0, 3).join(', ')}${keys.length > 3 ? ' and more' : ''}`,
          fix: `kubectl label node ${labelled.map(node => node.metadata.name).join(' ')} ${keys.map(key => `${key}-`).join(' ')}`,
        }),
      ]
    })
}
