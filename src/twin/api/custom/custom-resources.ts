// CustomResourceDefinitions: from the object a user writes to resources that are served.
import { versionOrder } from '#kube/objects/api-versions.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ResourceKey } from '../../access.ts'
import { type Draft, fieldsAt, isSame, itemsAt, listAt, textAt, valueAt } from '../../json-value.ts'
import { type ApiServer, timestamp } from '../api-server.ts'
import { guessedPlural } from '../resource-registry.ts'
import { type CustomVersion, type ResourceType, type Subresource, splitApiVersion } from '../resource-type.ts'
import { asStored } from '../write-pipeline.ts'

const definitionsKey: ResourceKey = 'customresourcedefinitions.apiextensions.k8s.io'

const standardVerbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'] as const
const subresourceVerbs = ['get', 'patch', 'update'] as const

/** Serves the versions of a definition and writes its conditions; a definition that is being deleted is served until it is gone. */
export function establish(server: ApiServer, definition: KubeObject): void {
  server.resources.setCustom(definition.metadata.name, typesOf(definition))
  const spec = fieldsAt(definition, 'spec') ?? {}
  const names = fieldsAt(spec, 'names') ?? {}
  const storage = itemsAt(spec, 'versions').find(version => version['storage'] === true)
  const known = listAt(definition, 'status', 'storedVersions').map(String)
  const stored = textAt(storage, 'name')
  const now = timestamp(server.clock.now())
  const status: Draft = {
    acceptedNames: names,
    conditions:
      itemsAt(definition, 'status', 'conditions').length > 0
        ? listAt(definition, 'status', 'conditions')
        : [
            {
              type: 'NamesAccepted',
              status: 'True',
              lastTransitionTime: now,
              reason: 'NoConflicts',
              message: 'no conflicts found',
            },
            {
              type: 'Established',
              status: 'True',
              lastTransitionTime: now,
              reason: 'InitialNamesAccepted',
              message: 'the initial names have been accepted',
            },
          ],
    storedVersions: stored === undefined || known.length > 0 ? known : [stored],
  }
  if (!isSame(status, definition['status'])) server.store.put(definitionsKey, asStored({ ...definition, status }))
}

/** No longer serves what a definition described. */
export function withdraw(server: ApiServer, definition: KubeObject): void {
  server.resources.setCustom(definition.metadata.name, [])
}

function typesOf(definition: KubeObject): readonly ResourceType[] {
  const spec = fieldsAt(definition, 'spec') ?? {}
  const names = fieldsAt(spec, 'names') ?? {}
  const group = textAt(spec, 'group') ?? ''
  const plural = textAt(names, 'plural') ?? ''
  const kind = textAt(names, 'kind') ?? ''
  const versions = itemsAt(spec, 'versions')
  const storageVersion =
    textAt(
      versions.find(version => version['storage'] === true),
      'name',
    ) ??
    textAt(versions[0], 'name') ??
    'v1'
  const served = versions
    .filter(version => version['served'] === true)
    .toSorted((left, right) => versionOrder(textAt(left, 'name') ?? '', textAt(right, 'name') ?? ''))
  return served.map(version => ({
    group,
    version: textAt(version, 'name') ?? '',
    kind,
    plural,
    singular: textAt(names, 'singular') ?? kind.toLowerCase(),
    shortNames: listAt(names, 'shortNames').map(String),
    categories: listAt(names, 'categories').map(String),
    isNamespaced: spec['scope'] === 'Namespaced',
    verbs: standardVerbs,
    subresources: subresourcesOf(version, kind),
    key: `${plural}.${group}`,
    storageVersion,
    custom: customVersion(definition, version, storageVersion),
  }))
}

function subresourcesOf(version: Draft, kind: string): readonly Subresource[] {
  const subresources = fieldsAt(version, 'subresources')
  const found: Subresource[] = []
  if (subresources?.['status'] !== undefined) found.push({ name: 'status', kind, verbs: subresourceVerbs })
  if (subresources?.['scale'] !== undefined)
    found.push({ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: subresourceVerbs })
  return found
}

function customVersion(definition: KubeObject, version: Draft, storageVersion: string): CustomVersion {
  const scale = fieldsAt(version, 'subresources', 'scale')
  const columns = valueAt(version, 'additionalPrinterColumns')
  return {
    definition: definition.metadata.name,
    schema: fieldsAt(version, 'schema', 'openAPIV3Schema') ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    columns: Array.isArray(columns) ? itemsAt(version, 'additionalPrinterColumns') : undefined,
    selectableFields: itemsAt(version, 'selectableFields').map(field => textAt(field, 'jsonPath') ?? ''),
    storageVersion,
    converter:
      textAt(definition, 'spec', 'conversion', 'strategy') === 'Webhook'
        ? fieldsAt(definition, 'spec', 'conversion', 'webhook', 'clientConfig')
        : undefined,
    scale:
      scale === undefined
        ? undefined
        : {
            specReplicasPath: textAt(scale, 'specReplicasPath') ?? '.spec.replicas',
            statusReplicasPath: textAt(scale, 'statusReplicasPath') ?? '.status.replicas',
            labelSelectorPath: textAt(scale, 'labelSelectorPath'),
          },
  }
}

/** A definition that lets everything pass, for a kind of which only objects are known. */
export function definitionFor(apiVersion: string, kind: string, isNamespaced: boolean): KubeObject {
  const { group, version } = splitApiVersion(apiVersion)
  const plural = guessedPlural(kind)
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, labels: { 'ballast.dev/twin-synthesised': 'true' } },
    spec: {
      group,
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      scope: isNamespaced ? 'Namespaced' : 'Cluster',
      versions: [
        { name: version, served: true, storage: true, subresources: { status: {} }, schema: { openAPIV3Schema: schema } },
      ],
    },
  }
}

/** After a definition was written over the wire: serves what it says now. */
export function afterDefinitionWrite(server: ApiServer, object: KubeObject): void {
  if (
    object.kind === 'CustomResourceDefinition' &&
    server.store.get(definitionsKey, undefined, object.metadata.name) !== undefined
  )
    establish(server, object)
}
