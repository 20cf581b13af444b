// What other programs registered with the API server, and whether anybody is still behind it: APIServices, webhooks, kinds.

import { at, listAt, shown, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { findUpstreams } from '#upstreams/recognition.ts'
import type { Upstream } from '#upstreams/upstream.ts'
import { upstreams } from '#upstreams/upstreams.ts'
import { type ClusterFacts, ofKind } from './facts.ts'
import { type Finding, finding } from './finding.ts'

export function checkApis(facts: ClusterFacts): readonly Finding[] {
  return [...apiServices(facts), ...webhooks(facts), ...definitions(facts)]
}

/** Do ready endpoints stand behind a Service? `undefined`: they could not be read. */
function hasEndpoints(facts: ClusterFacts, namespace: string, name: string): boolean | undefined {
  if (facts.unread.some(({ kind }) => kind === 'endpointslices.discovery.k8s.io')) return undefined
  return ofKind(facts, 'EndpointSlice').some(
    slice =>
      slice.metadata.namespace === namespace &&
      slice.metadata.labels?.['kubernetes.io/service-name'] === name &&
      listAt(slice, 'endpoints').some(endpoint => at(endpoint, 'conditions', 'ready') !== false),
  )
}

function apiServices(facts: ClusterFacts): readonly Finding[] {
  return ofKind(facts, 'APIService').flatMap(service => {
    const namespace = textAt(service, 'spec', 'service', 'namespace')
    const name = textAt(service, 'spec', 'service', 'name')
    if (namespace === undefined || name === undefined) return []
    if (hasEndpoints(facts, namespace, name) === false)
      return [
        finding('api-service-orphan', {
          object: shown(service),
          message: `Service ${namespace}/${name} has no ready endpoint: every call of this API fails, and namespaces can't be deleted`,
          fix: `kubectl -n ${namespace} get pods, or, if nobody is to answer it any more: kubectl delete apiservice ${service.metadata.name}`,
        }),
      ]
    const condition = listAt(service, 'status', 'conditions').find(one => textAt(one, 'type') === 'Available')
    if (condition === undefined || textAt(condition, 'status') === 'True') return []
    return [
      finding('api-service-unavailable', {
        object: shown(service),
        message: `not available (${textAt(condition, 'reason') ?? 'no reason'}): ${textAt(condition, 'message') ?? 'no message'}`,
        fix: `kubectl get apiservice ${service.metadata.name} -o yaml; then look at the pods of Service ${namespace}/${name}`,
      }),
    ]
  })
}

function webhooks(facts: ClusterFacts): readonly Finding[] {
  return ofKind(facts, 'MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration').flatMap(configuration =>
    listAt(configuration, 'webhooks').flatMap(webhook => {
      const namespace = textAt(webhook, 'clientConfig', 'service', 'namespace')
      const name = textAt(webhook, 'clientConfig', 'service', 'name')
      const isStrict = (textAt(webhook, 'failurePolicy') ?? 'Fail') === 'Fail'
      if (namespace === undefined || name === undefined || !isStrict) return []
      if (hasEndpoints(facts, namespace, name) !== false) return []
      return [
        finding('webhook-dead', {
          object: `${shown(configuration)}: ${textAt(webhook, 'name') ?? 'unnamed'}`,
          message: `Service ${namespace}/${name} has no ready endpoint and failurePolicy is Fail: what it judges is refused`,
          fix: `start it again, or, if it is gone for good: kubectl delete ${configuration.kind.toLowerCase()} ${configuration.metadata.name}`,
        }),
      ]
    }),
  )
}

function definitions(facts: ClusterFacts): readonly Finding[] {
  return ofKind(facts, 'CustomResourceDefinition').flatMap(definition => [
    ...terminating(definition),
    ...storedVersions(definition),
    ...helmOwned(facts, definition),
  ])
}

function terminating(definition: KubeObject): readonly Finding[] {
  const { deletionTimestamp, name } = definition.metadata
  if (deletionTimestamp === undefined) return []
  return [
    finding('crd-terminating', {
      object: shown(definition),
      message: `is being deleted since ${deletionTimestamp}, with all its objects; those with finalizers hold it up`,
      fix: `kubectl get ${name} -A -o custom-columns=NS:.metadata.namespace,NAME:.metadata.name,F:.metadata.finalizers`,
    }),
  ]
}

/** A version that objects are stored in and that nobody serves any more: of whatever kind, it stops upgrades. */
function storedVersions(definition: KubeObject): readonly Finding[] {
  const served = listAt(definition, 'spec', 'versions')
    .filter(version => at(version, 'served') === true)
    .map(version => textAt(version, 'name'))
  const lost = listAt(definition, 'status', 'storedVersions').filter(version => !served.includes(String(version)))
  if (lost.length === 0) return []
  return [
    finding('crd-stored-version', {
      object: shown(definition),
      message: `objects may be stored as ${lost.join(', ')}, which is not served (served: ${served.join(', ')})`,
      fix: `serve ${lost.join(', ')} again, write every object once (kubectl get ${definition.metadata.name} -A -o yaml | kubectl replace -f -), then take it from status.storedVersions`,
    }),
  ]
}

/** What upstreams' charts bring as templates goes with them: the annotation counts in the stored manifest, not on the live object. */
function helmOwned(facts: ClusterFacts, definition: KubeObject): readonly Finding[] {
  const release = definition.metadata.annotations?.['meta.helm.sh/release-name']
  const namespace = definition.metadata.annotations?.['meta.helm.sh/release-namespace'] ?? 'default'
  const upstream = upstreamOfGroup(textAt(definition, 'spec', 'group') ?? '')
  if (release === undefined || upstream === undefined) return []
  const manifest = storedManifest(facts, namespace, release)
  if (manifest !== undefined && isKept(manifest, definition.metadata.name)) return []
  const isLive = definition.metadata.annotations?.['helm.sh/resource-policy'] === 'keep'
  const doubt =
    manifest === undefined
      ? isLive
        ? "the live object has helm.sh/resource-policy: keep, but only the release's stored manifest counts, which was not read (--helm-secrets)"
        : 'it has no helm.sh/resource-policy: keep'
      : "the release's stored manifest has no helm.sh/resource-policy: keep for it"
  if (manifest === undefined && !findUpstreams(facts.objects).some(found => found.upstream === upstream) && isLive) return []
  return [
    finding('crd-owner-helm', {
      object: shown(definition),
      message: `belongs to Helm release ${namespace}/${release} of ${upstream.name}: an uninstall deletes it and every object of it; ${doubt}`,
      fix: `set the chart's annotations for CRDs to helm.sh/resource-policy: keep and upgrade release ${release}`,
    }),
  ]
}

function upstreamOfGroup(group: string): Upstream | undefined {
  return upstreams.find(({ groups }) => groups.some(one => group === one || group.endsWith(`.${one}`)))
}

/** What gathering put beside: the manifest that Helm would go by. */
function storedManifest(facts: ClusterFacts, namespace: string, release: string): string | undefined {
  const stored = ofKind(facts, 'HelmReleaseRecord').find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === release,
  )
  return textAt(stored, 'manifest')
}

function isKept(manifest: string, name: string): boolean {
  const names = [`  name: ${name}`, `  name: "${name}"`, `  name: '${name}'`]
  return manifest.split(/^---/m).some(document => {
    const lines = document.split('\n').map(line => line.trimEnd())
    return names.some(line => lines.includes(line)) && /helm\.sh\/resource-policy["']?: ["']?keep/.test(document)
  })
}
