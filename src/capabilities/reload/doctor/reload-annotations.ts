// Annotations of Reloader wherever they are written: names that nobody reads, patterns that do not compile.

import type { AnnotationPlace, CapabilityFindings } from '#doctor/capability-findings.ts'
import { type ClusterFacts, ofKind } from '#doctor/facts.ts'
import { type Finding, findingsOf, kind } from '#doctor/finding.ts'
import { shown, templateOf } from '#kube/objects/object-fields.ts'
import { nearestName } from '#kube/values/nearest-name.ts'
import { parsePattern } from '#kube/values/regex.ts'

const kinds = {
  'reload-annotation-unknown': kind('warn', 'reload', 'an annotation that looks like one of Reloader and is none'),
  'reload-pattern-invalid': kind('warn', 'reload', 'a pattern in an annotation that does not compile'),
}
const finding = findingsOf(kinds)

const domain = 'reloader.stakater.com'

/** Keys that upstream or Ballast reads or writes. */
export const knownReloadKeys: readonly string[] = [
  ...['auto', 'search', 'match', 'ignore', 'rollout-strategy', 'last-reloaded-from', 'meta-info'].map(
    name => `${domain}/${name}`,
  ),
  ...['configmap', 'secret', 'secretproviderclass'].flatMap(kind => ['auto', 'reload'].map(name => `${kind}.${domain}/${name}`)),
  ...['configmaps', 'secrets', 'secretproviderclasses'].map(kind => `${kind}.exclude.${domain}/reload`),
  ...['pause-period', 'paused-at'].map(name => `deployment.${domain}/${name}`),
  ...['debounce', 'window', 'keys', 'cronjob', 'by', 'allow-namespaces'].map(name => `ballast.dev/reload-${name}`),
]

/** Keys whose value is a comma list of patterns of names. */
const patternKeys = ['configmap', 'secret', 'secretproviderclass'].map(kind => `${kind}.${domain}/reload`)

/** What is wrong with one annotation. */
function annotationFindings(key: string, value: unknown, place: AnnotationPlace): readonly Finding[] {
  const isTheirs = key.includes('reloader') && (key.includes('stakater') || key.startsWith('reloader.'))
  if (!isTheirs && !key.startsWith('ballast.dev/reload-')) return []
  if (!knownReloadKeys.includes(key)) {
    const near = nearestName(key, knownReloadKeys)
    return [
      finding('reload-annotation-unknown', {
        ...place,
        message: `${key} is read by nobody${near === undefined ? '' : `; did you mean ${near}?`}`,
        fix:
          near === undefined
            ? `take it away; the keys are ${knownReloadKeys.slice(0, 4).join(', ')} and so on`
            : `${near}: ${JSON.stringify(value)}`,
      }),
    ]
  }
  if (!patternKeys.includes(key) || typeof value !== 'string') return []
  return value.split(',').flatMap(part => {
    const parsed = parsePattern(part.trim(), key)
    if (parsed.ok || part.trim() === '') return []
    return [
      finding('reload-pattern-invalid', {
        ...place,
        message: `${key}: ${JSON.stringify(part.trim())} is no pattern: expected ${parsed.problem.expected}; it counts as a plain name`,
        fix: `${key}: ${JSON.stringify(part.trim().replaceAll(special, '\\$&'))}   # if it is meant as a name`,
      }),
    ]
  })
}

/** What has a meaning in patterns. */
const special = /[()[\]{}*+?\\]/g

/** Checks every workload, and ConfigMaps and Secrets where they were read. */
function checkReload(facts: ClusterFacts): readonly Finding[] {
  return ofKind(facts, 'Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Rollout', 'ConfigMap', 'Secret').flatMap(object => {
    const template = templateOf(object)
    const metadata = typeof template === 'object' && template !== null ? Reflect.get(template, 'metadata') : undefined
    const inner = typeof metadata === 'object' && metadata !== null ? Reflect.get(metadata, 'annotations') : undefined
    const annotations = { ...object.metadata.annotations, ...(typeof inner === 'object' && inner !== null ? inner : {}) }
    return Object.entries(annotations).flatMap(([key, value]) => annotationFindings(key, value, { object: shown(object) }))
  })
}

export const reloadFindings: CapabilityFindings = { kinds, cluster: checkReload, annotation: annotationFindings }
