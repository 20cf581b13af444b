import { expect, test } from 'vitest'
import { type Answer, failure, scripted } from '#coordination/testdata/scripted-api.ts'
import { AbsenceDoubtedError } from '#kube/client/absence.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import { StatusError } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import { JobKeeper } from './job-keeper.ts'

const { signal } = new AbortController()
const job = { apiVersion: 'batch/v1', kind: 'Job', namespace: 'shop', name: 'import', uid: 'uid-import' }
const manifest = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'import', namespace: 'shop' }, spec: {} }
const path = '/api/v1/namespaces/ballast/configmaps'
const mapOf = (data: object): Answer => ({ status: 200, body: { kind: 'ConfigMap', metadata: { name: 'kept' }, data } })
const missing = failure(404, 'NotFound', 'not found')

/** What is found of a Job that was deleted, by the answers to a GET of what was kept and to a dry run of its creation. */
function kept(found: Answer, made: Answer): Promise<unknown> {
  const name = 'ballast-reload-job-3bbbc6333747d7c5'
  const { api } = scripted({ [`GET ${path}/${name}`]: [found], [`POST ${path}`]: [made] })
  return new JobKeeper(api, 'ballast').kept(job, signal)
}

// biome-ignore format: a table
test.each<[string, Answer, Answer, unknown]>([
  ['is kept',                             mapOf({ 'job.json': JSON.stringify(manifest) }), missing,                       manifest],
  ['is not kept, and its name is free',   missing,                                         mapOf({})               , undefined],
  ['is overwritten by somebody',          mapOf({ 'job.json': '{' }),                      missing,                       undefined],
])('a Job that %s', async (_name, found, made, expected) => {
  expect(await kept(found, made)).toEqual(expected)
})

// biome-ignore format: a table
test.each<[string, Answer]>([
  ['its name is taken',          failure(409, 'AlreadyExists', 'exists')],
  ['everything is not found',    missing],
  ['a new one is not permitted', failure(403, 'Forbidden', 'no')],
  ['the server cannot say',      failure(500, 'InternalError', 'no')],
  ['a webhook refuses it',       failure(400, 'BadRequest', 'admission webhook "x.example" denied the request: no')],
  ['it is no request',           failure(400, 'BadRequest', 'the object provided is unrecognized')],
])('a Job is not given up where its manifest is not found and %s', async (_name, made) => {
  const outcome = await kept(missing, made).catch((error: unknown) => error)
  expect(isOutside(outcome)).toBe(true)
  if (_name === 'its name is taken') expect(outcome).toBeInstanceOf(AbsenceDoubtedError)
})

test('what an earlier question left is taken away', async () => {
  const name = 'ballast-reload-job-3bbbc6333747d7c5'
  const empty: Answer = { status: 200, body: { kind: 'ConfigMap', metadata: { name } } }
  const { api, asked } = scripted({ [`GET ${path}/${name}`]: [empty], [`DELETE ${path}/${name}`]: [empty] })
  expect(await new JobKeeper(api, 'ballast').kept(job, signal)).toBeUndefined()
  expect(asked.map(({ verb }) => verb)).toEqual(['GET', 'DELETE'])
})

// biome-ignore format: a table
test.each<[string, Answer, readonly string[], unknown]>([
  ['made, and taken away: nothing is kept', mapOf({}),                                  ['GET', 'POST dry', 'POST', 'DELETE'], undefined],
  ['refused, since its name is taken',      failure(409, 'AlreadyExists', 'exists'),    ['GET', 'POST dry', 'POST'],           AbsenceDoubtedError],
  ['not permitted',                         failure(403, 'Forbidden', 'no'),            ['GET', 'POST dry', 'POST'],           StatusError],
  ['lost on its way',                       'broken',                                   ['GET', 'POST dry', 'POST'],           ConnectionError],
])('where a webhook knows no dry run, the object is asked for in earnest: %s', async (_name, made, expected, end) => {
  const blind = failure(400, 'BadRequest', 'admission webhook "x.example" does not support dry run')
  const name = 'ballast-reload-job-3bbbc6333747d7c5'
  const { api, asked } = scripted({
    [`GET ${path}/${name}`]: [missing],
    [`POST ${path}`]: [blind, made],
    [`DELETE ${path}/${name}`]: [{ status: 200, body: { kind: 'Status', status: 'Success' } }],
  })
  const outcome = await new JobKeeper(api, 'ballast').kept(job, signal).catch((error: unknown) => error)
  if (end === undefined) expect(outcome).toBeUndefined()
  else expect(outcome).toBeInstanceOf(end)
  expect(asked.map(({ verb, query = {} }) => (query['dryRun'] === undefined ? verb : `${verb} dry`))).toEqual(expected)
})
