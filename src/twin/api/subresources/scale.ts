// …/scale: replicas of a workload through one small object.
import { invalid } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import { badRequest, notFound } from '#kube/objects/status.ts'
import { isTrue } from '#kube/server/request-info.ts'
import { type Draft, draftOf, fieldsAt, numberAt, setAt, textAt, valueAt } from '../../json-value.ts'
import { applied } from '../../patch/server-side-apply.ts'
import { structSchema } from '../../schema/schema-table.ts'
import { objectAnswer } from '../answers/answer.ts'
import { readPath } from '../answers/json-path.ts'
import { answerForm } from '../answers/negotiation.ts'
import { tableWith } from '../answers/table.ts'
import { scaleColumns } from '../answers/table-columns.ts'
import { inVersion } from '../answers/versions.ts'
import { warningHeaders } from '../answers/warnings.ts'
import type { ApiServer } from '../api-server.ts'
import { readyIn } from '../custom/conversions.ts'
import { commitConverted } from '../custom/converted-commit.ts'
import { decodePatch } from '../decoding/decode.ts'
import { invalidPatch, patchedObject, patchType } from '../decoding/patched-object.ts'
import { agreeOnName, sentObject } from '../decoding/request-body.ts'
import { settleFields } from '../decoding/settled-fields.ts'
import type { WriteParts, WriteRequest } from '../object-writes.ts'
import type { TwinRequest, TwinResponse } from '../request.ts'
import { type ResourceType, splitApiVersion } from '../resource-type.ts'
import { oddities } from '../validation/oddities.ts'
import { refused } from '../validation/validation.ts'
import { checkWriteOptions, fieldManager, isDryRun, type WriteOptions } from '../write-options.ts'
import { modified, subjectOf } from '../write-pipeline.ts'

/** GET, PUT and PATCH of a scale. */
export async function answerScale({ server, writes }: WriteParts, write: WriteRequest): Promise<TwinResponse> {
  const { type, info, request, user } = write
  const storage = server.resources.ofKey(type.key) ?? type
  const existing = server.store.get(type.key, info.namespace, info.name ?? '')
  if (existing === undefined) throw notFound(subjectOf(type), info.name ?? '')
  // Where the replicas are is said by the version that is asked for.
  const written = type.custom === undefined ? storage : type
  await readyIn(server, written, [existing], { isFresh: true })
  const parent = inVersion(written, existing)
  if (info.verb === 'get') return scaleAnswer(server, request, scaleOf(type, parent))
  const isApply = request.method === 'PATCH' && patchType(request.headers['content-type']) === 'application/apply-patch+yaml'
  const wanted = wantedScale(write, scaleOf(type, parent), isApply)
  const version = textAt(wanted, 'metadata', 'resourceVersion') ?? ''
  if (version !== '' && version !== parent.metadata.resourceVersion) throw modified(type, parent.metadata.name)
  const replicas = numberAt(wanted, 'spec', 'replicas') ?? 0
  if (replicas < 0) {
    const problem = invalid('spec.replicas', replicas, 'must be greater than or equal to 0')
    throw refused({ kind: 'Scale', group: 'autoscaling' }, parent.metadata.name, [problem])
  }
  const path = pathOf(type.custom?.scale?.specReplicasPath ?? '.spec.replicas')
  const by = { user, manager: fieldManager(request), isDryRun: isDryRun(request.query), subresource: 'scale' }
  const options = isApply ? { ...by, keepManagedFields: true, isForced: isTrue(request.query.get('force') ?? 'false') } : by
  const draft = 'isForced' in options ? appliedParent(server, written, parent, path, replicas, options) : draftOf(parent)
  setAt(draft, path, replicas)
  const prepared = writes.prepareUpdate(written, draft, parent, options)
  if (written.version === storage.version) {
    const updated = writes.finishUpdate(storage, prepared, parent, options)
    return scaleAnswer(server, request, scaleOf(type, updated), oddities(storage, updated, parent))
  }
  const updated = writes.finishUpdate(written, prepared, parent, { ...options, isDryRun: true })
  const stored = updated === parent ? existing : await commitConverted(updated, { server, writes, storage, existing, options })
  if (stored === undefined) throw modified(type, parent.metadata.name)
  await readyIn(server, written, [stored])
  return scaleAnswer(server, request, scaleOf(type, inVersion(written, stored)))
}

const scaleType = { group: 'autoscaling', version: 'v1', kind: 'Scale' }

/** The parent with the replicas that were applied to its scale, and with who has them now. @throws StatusError 409 where another has them. */
function appliedParent(
  server: ApiServer,
  written: ResourceType,
  parent: KubeObject,
  path: readonly string[],
  replicas: number,
  options: WriteOptions & { readonly isForced: boolean },
): Draft {
  const { name, namespace } = parent.metadata
  const configuration = draftOf({ apiVersion: parent.apiVersion, kind: parent.kind, metadata: { name, namespace } })
  setAt(configuration, path, replicas)
  return applied(server, written, parent, configuration, options)
}

/** The small object, or a table of it. */
function scaleAnswer(server: ApiServer, request: TwinRequest, scale: KubeObject, warnings: readonly string[] = []): TwinResponse {
  const form = answerForm(request.headers['accept'], scaleType)
  const options = { version: form.version, includes: 'Metadata', hasColumns: true } as const
  const answer = form.shape === 'table' ? tableWith(scaleColumns, server, [scale], options) : scale
  return objectAnswer(request, 200, { ...answer }, form, warningHeaders(warnings))
}

function wantedScale({ request, type, info }: WriteRequest, present: Draft, isApply: boolean): Draft {
  checkWriteOptions(request, isApply)
  if (request.method !== 'PATCH') {
    const sent = sentObject(request, { kind: 'Scale', group: 'autoscaling', version: 'v1', definition: 'V1Scale' })
    agreeOnName(sent, info)
    return sent
  }
  const given = patchType(request.headers['content-type'])
  const { value } = decodePatch(given, request.body)
  if (isApply && (textAt(value, 'kind') !== 'Scale' || textAt(value, 'apiVersion') !== 'autoscaling/v1')) {
    const { group, version } = splitApiVersion(textAt(value, 'apiVersion') ?? '')
    throw badRequest(`invalid object type: ${group}/${version}, Kind=${textAt(value, 'kind') ?? ''}`)
  }
  const isPlain = given === 'application/json-patch+json'
  const patched = patchedObject(type, present, isPlain ? given : 'application/merge-patch+json', value)
  const { fault } = settleFields(structSchema('V1Scale'), patched, { restores: isApply })
  if (fault !== undefined) throw invalidPatch(given, value, patched, fault)
  return patched
}

function scaleOf(type: ResourceType, parent: KubeObject): KubeObject {
  const custom = type.custom?.scale
  const read = (path: string) => numberOf(readPath(parent, path)[0])
  const selector =
    custom === undefined
      ? selectorText(parent)
      : custom.labelSelectorPath === undefined
        ? ''
        : String(readPath(parent, custom.labelSelectorPath)[0] ?? '')
  const wanted = read(custom?.specReplicasPath ?? '.spec.replicas')
  const { name, namespace, uid, resourceVersion, creationTimestamp } = parent.metadata
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
  }
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata,
    spec: wanted === 0 ? {} : { replicas: wanted },
    status: { replicas: read(custom?.statusReplicasPath ?? '.status.replicas'), ...(selector === '' ? {} : { selector }) },
  }
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

function selectorText(parent: KubeObject): string {
  const selector = fieldsAt(parent, 'spec', 'selector')
  if (selector === undefined) return ''
  if (valueAt(selector, 'matchLabels') === undefined && valueAt(selector, 'matchExpressions') === undefined) {
    return Object.entries(selector)
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(',')
  }
  const parsed = labelSelectorOf(selector)
  return parsed.ok ? parsed.value.toString() : ''
}

function pathOf(jsonPath: string): readonly string[] {
  return jsonPath.split('.').filter(step => step !== '')
}
