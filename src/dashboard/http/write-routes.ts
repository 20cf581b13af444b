// What is written: actions, and sessions. That a request comes from our own page was looked at before.
import * as z from 'zod'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { longestToken } from '../access/token-door.ts'
import { lackSentence, rightsOf } from '../actions/needed-rights.ts'
import { type ActionBody, type ActionName, actionBody } from '../contract.ts'
import { freezeActions, planActions, twinActions } from '../contract-names.ts'
import { json, refusal, type WholeAnswer } from './answer.ts'
import { readJson } from './body.ts'
import type { Idempotency } from './idempotency.ts'
import { type Call, type Route, write } from './route.ts'

const actionNames: readonly ActionName[] = [...planActions, ...freezeActions, ...twinActions]
const sessionBody = z.strictObject({ token: z.string().min(1).max(longestToken) })

export function writeRoutes(idempotency: Idempotency): readonly Route[] {
  return [write('POST', '/api/v1/actions/{action*}', call => action(call, idempotency))]
}

/** Routes of mode `token`; `POST` is answered for everybody. */
export const sessionRoutes: readonly Route[] = [
  write('DELETE', '/api/v1/session', ({ services, asked }) => services.tokens?.signOut(asked) ?? noSessions),
]

const noSessions = refusal('sessions-off', {
  status: 404,
  message: 'There are no sessions here.',
  remedy: 'Sessions are of auth.mode token.',
})

/** `POST /api/v1/session`, of nobody yet. */
export async function signIn({ services, asked }: Pick<Call<unknown>, 'services' | 'asked'>): Promise<WholeAnswer> {
  if (services.tokens === undefined) return noSessions
  const read = await bodyOf(asked.message, sessionBody)
  return read.ok ? services.tokens.signIn(read.value.token.trim()) : read.answer
}

async function action(call: Call<unknown>, idempotency: Idempotency): Promise<WholeAnswer> {
  const { services, asked, params, viewer } = call
  const { metrics, actions, isActing } = services
  const given = params['action'] ?? ''
  const answer = await answered()
  metrics?.action(given, answer.status === 200 ? 'done' : (answer.code ?? 'refused'))
  return answer

  async function answered(): Promise<WholeAnswer> {
    if (actions === undefined || !isActing(services.source.current())) return actionsOff
    const known = actionNames.find(one => one === given)
    if (known === undefined)
      return refusal('action-unknown', {
        status: 404,
        message: `There is no action ${JSON.stringify(given.slice(0, 80))}.`,
        remedy: `Actions are ${actionNames.join(', ')}.`,
      })
    const read = await bodyOf(asked.message, actionBody)
    if (!read.ok) return read.answer
    const body: ActionBody = read.value
    const key = asked.headers['idempotency-key']
    const content = JSON.stringify([known, body])
    return idempotency.once({ viewer: viewer.id, key: Array.isArray(key) ? key[0] : key, content }, () =>
      perform(call, known, body),
    )
  }
}

const actionsOff = refusal('actions-off', {
  status: 404,
  message: 'This dashboard only reads.',
  remedy: 'Set dashboard.actions, or use kubectl.',
})

async function perform({ services, viewer }: Call<unknown>, name: ActionName, body: ActionBody): Promise<WholeAnswer> {
  const picture = services.source.current()
  const right = rightsOf(name, body.scope ?? null, picture.ownNamespace)
  if (right !== undefined) {
    await viewer.rights.learn([right])
    const isAllowed = viewer.rights.known(right)
    if (isAllowed === false)
      return refusal('action-forbidden', {
        status: 403,
        message: lackSentence(right),
        remedy: `Ask for a role that allows ${right.verb} on ${right.resource}.`,
      })
    // With the viewer's own rights the API server decides; in another's name nothing is done that it has not allowed before.
    if (isAllowed === undefined && viewer.isSpokenFor)
      return refusal('rights-unknown', {
        status: 503,
        message: 'The API server has not said whether you may.',
        remedy: 'Try again in a moment. Nothing was done.',
        headers: { 'retry-after': '5' },
      })
  }
  services.log.info({ action: name, viewer: viewer.name }, 'an action is carried out')
  const done = await services.actions?.perform(name, body, { viewer: viewer.name, api: viewer.api, picture })
  if (done === undefined) return actionsOff
  if ('done' in done) return json(done)
  const { status, code, message, remedy, revision } = done
  const headers = status === 503 ? { 'retry-after': '5' } : {}
  return refusal(code, { status, message, remedy, headers, ...(revision === undefined ? {} : { more: { revision } }) })
}

type Body<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly answer: WholeAnswer }

async function bodyOf<Schema extends z.ZodType>(
  message: Parameters<typeof readJson>[0],
  schema: Schema,
): Promise<Body<z.output<Schema>>> {
  const read = await readJson(message)
  switch (read.kind) {
    case 'too-large':
      return {
        ok: false,
        answer: refusal('body-too-large', {
          status: 413,
          message: 'The body is larger than 16 KiB.',
          headers: { connection: 'close' },
        }),
      }
    case 'cut':
    case 'bad':
      return { ok: false, answer: badBody(read.kind === 'cut' ? 'half a body' : read.found, 'one JSON object') }
    case 'json': {
      const checked = checkAgainst(schema, read.value, '')
      if (checked.ok) return { ok: true, value: checked.value }
      const [problem] = checked.problems
      const where = problem?.where ?? ''
      // What was found may be a token.
      return {
        ok: false,
        answer: badBody(where === '' ? 'something else' : `${where}, which is not so`, problem?.expected ?? 'another body'),
      }
    }
  }
}

function badBody(found: string, expected: string): WholeAnswer {
  return refusal('bad-body', { status: 400, message: `The body has ${found}.`, remedy: `Expected ${expected}.` })
}
