// ControllerRevisions: the templates that StatefulSets and DaemonSets had, by which their pods are told apart.
import type { KubeObject, Pod, PodTemplateSpec } from '#kube/objects/objects.ts'
import { isAlreadyExists } from '#kube/objects/status.ts'
import type { Writer } from '../../access.ts'
import type { ComponentContext } from '../component.ts'
import type { ControllerRevision } from '../kinds.ts'
import { controllerOf } from './pod-state.ts'
import { controllerReference, templateHash, templateText } from './pod-template.ts'

export const revisionHashLabel = 'controller-revision-hash'

interface RevisionOwner extends KubeObject {
  readonly spec: { readonly template: PodTemplateSpec; readonly [field: string]: unknown }
}

export interface Revisions {
  /** In order of their revision numbers. */
  readonly all: readonly ControllerRevision[]
  /** The one of the present template. */
  readonly update: ControllerRevision
}

interface RevisionChoice {
  readonly owner: RevisionOwner
  readonly writer: Writer
  /** Name for the first revision of an owner that has none, as a dump without ControllerRevisions leaves it. */
  readonly firstName: string | undefined
  readonly labels: (hash: string) => Readonly<Record<string, string>>
}

/** The revisions of an owner; the one of its present template is made, or renumbered to be the last, where needed. */
export function syncRevisions(context: ComponentContext, choice: RevisionChoice): Revisions {
  const { access } = context
  const { owner, writer } = choice
  const known = ownRevisions(context, owner)
  const wanted = templateText(owner.spec.template)
  const last = known.at(-1)
  const equal = known.findLast(revision => templateText(templateOf(revision)) === wanted)
  if (equal !== undefined && last !== undefined) {
    if (equal !== last) access.update('controllerrevisions.apps', { ...equal, revision: last.revision + 1 }, writer)
  } else {
    create(context, choice, (last?.revision ?? 0) + 1, known.length === 0 ? choice.firstName : undefined)
  }
  const all = ownRevisions(context, owner)
  const update = all.findLast(revision => templateText(templateOf(revision)) === wanted)
  if (update === undefined)
    throw new Error(
      `${owner.kind} ${owner.metadata.namespace}/${owner.metadata.name}: the revision of its template is not stored`,
    )
  return { all, update }
}

function create({ access }: ComponentContext, choice: RevisionChoice, revision: number, firstName: string | undefined): void {
  const { owner, writer } = choice
  for (let collisions = 0; ; collisions++) {
    const prefix = `${owner.metadata.name}-`
    const named = collisions === 0 ? firstName : undefined
    const hash = named?.startsWith(prefix)
      ? named.slice(prefix.length)
      : templateHash(templateText(owner.spec.template), collisions)
    const object: ControllerRevision = {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: named ?? `${prefix}${hash}`,
        namespace: owner.metadata.namespace ?? '',
        labels: { ...owner.spec.template.metadata?.labels, ...choice.labels(hash) },
        ...(owner.metadata.annotations === undefined ? {} : { annotations: ownAnnotations(owner.metadata.annotations) }),
        ownerReferences: [controllerReference(owner)],
      },
      data: { spec: { template: { ...owner.spec.template, $patch: 'replace' } } },
      revision,
    }
    try {
      access.create('controllerrevisions.apps', object, writer)
      return
    } catch (error) {
      if (!isAlreadyExists(error) || collisions > 100) throw error
    }
  }
}

/** The owner's, but for what was applied last. */
function ownAnnotations(annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...own } = annotations
  return own
}

function ownRevisions({ view }: ComponentContext, owner: RevisionOwner): readonly ControllerRevision[] {
  return view
    .list('controllerrevisions.apps', owner.metadata.namespace)
    .filter(revision => controllerOf(revision)?.uid === owner.metadata.uid)
    .toSorted((a, b) => a.revision - b.revision || (a.metadata.name < b.metadata.name ? -1 : 1))
}

/** The pod template a revision keeps; `undefined` where its data is of another form. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec | undefined {
  const spec = field(revision.data, 'spec')
  const template = field(spec, 'template')
  if (typeof template !== 'object' || template === null || !('spec' in template)) return undefined
  const { $patch: _, ...rest } = template as PodTemplateSpec & { readonly $patch?: string }
  return rest
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined
}

/** Removes revisions beyond the history limit that no pod is of, oldest first. */
export function truncateRevisions(
  { access }: ComponentContext,
  owner: RevisionOwner,
  revisions: Revisions,
  inUse: ReadonlySet<string>,
  writer: Writer,
): void {
  const unused = revisions.all.filter(revision => revision !== revisions.update && !inUse.has(revision.metadata.name))
  const limit = owner.spec['revisionHistoryLimit']
  const surplus = unused.length - (typeof limit === 'number' ? limit : 10)
  for (const revision of unused.slice(0, Math.max(0, surplus))) {
    access.remove('controllerrevisions.apps', revision.metadata.namespace, revision.metadata.name, writer)
  }
}

/** The label by which a pod tells its revision: the revision's full name on StatefulSets, its hash on DaemonSets. */
export function revisionLabelOf(pod: Pod): string | undefined {
  return pod.metadata.labels?.[revisionHashLabel]
}
