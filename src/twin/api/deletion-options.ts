// DeleteOptions, from a request's body or its query.
import { badRequest } from '#kube/objects/status.ts'
import { type Draft, fieldsAt, integerAt, isFields, listAt, textAt, valueAt } from '../json-value.ts'
import { structSchema } from '../schema/schema-table.ts'
import { decodeBody } from './decoding/decode.ts'
import { settleFields } from './decoding/settled-fields.ts'
import type { DeletionChoice } from './deletion.ts'
import type { TwinRequest } from './request.ts'
import { checkDeleteOptions, wholeNumber } from './write-options.ts'

/** What a DELETE asks for. A body hides the query. @throws StatusError 400 for what does not parse, 422 for what means nothing. */
export function deletionChoice(request: TwinRequest): DeletionChoice {
  const given = request.body.byteLength === 0 ? inQuery(request.query) : inBody(request)
  checkDeleteOptions(given)
  const { propagationPolicy: policy, orphanDependents: orphan, seconds, uid, resourceVersion } = given
  const chosen =
    policy === 'Background' || policy === 'Foreground' || policy === 'Orphan'
      ? policy
      : orphan === undefined
        ? undefined
        : orphan
          ? 'Orphan'
          : 'Background'
  const hasPreconditions = uid !== undefined || resourceVersion !== undefined
  return {
    ...(seconds === undefined ? {} : { gracePeriodSeconds: seconds }),
    ...(chosen === undefined ? {} : { propagationPolicy: chosen }),
    ...(hasPreconditions
      ? {
          preconditions: { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) },
        }
      : {}),
    isDryRun: given.dryRun.includes('All'),
  }
}

interface Given {
  readonly dryRun: readonly string[]
  readonly propagationPolicy: string | undefined
  readonly orphanDependents: boolean | undefined
  readonly seconds: number | bigint | undefined
  readonly uid: string | undefined
  readonly resourceVersion: string | undefined
}

function inQuery(query: URLSearchParams): Given {
  const orphan = query.get('orphanDependents')
  return {
    dryRun: query.getAll('dryRun'),
    propagationPolicy: query.get('propagationPolicy') ?? undefined,
    orphanDependents: orphan === null ? undefined : orphan !== 'false' && orphan !== '0',
    seconds: wholeNumber(query, 'gracePeriodSeconds'),
    uid: undefined,
    resourceVersion: undefined,
  }
}

function inBody(request: TwinRequest): Given {
  const { value } = decodeBody(request.headers['content-type'], request.body, { kind: 'DeleteOptions', group: '', version: 'v1' })
  const body: Draft = isFields(value) ? value : {}
  const kind = textAt(body, 'kind') || 'DeleteOptions'
  const apiVersion = textAt(body, 'apiVersion') || 'v1'
  if (kind !== 'DeleteOptions') {
    throw badRequest(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`,
    )
  }
  const { fault } = settleFields(structSchema('V1DeleteOptions'), body)
  if (fault !== undefined) throw badRequest(fault)
  const preconditions = fieldsAt(body, 'preconditions')
  const orphan = valueAt(body, 'orphanDependents')
  return {
    dryRun: listAt(body, 'dryRun').map(String),
    propagationPolicy: textAt(body, 'propagationPolicy'),
    orphanDependents: typeof orphan === 'boolean' ? orphan : undefined,
    seconds: integerAt(body, 'gracePeriodSeconds'),
    uid: textAt(preconditions, 'uid'),
    resourceVersion: textAt(preconditions, 'resourceVersion'),
  }
}
