// Answers made from views: as the viewer may see them, or why not.
import { forbiddenSentence, type Reading } from '../access/reading-rights.ts'
import type { Right } from '../access/rights.ts'
import type { Seen } from '../access/viewing-of.ts'
import type { Link } from '../contract.ts'
import type { Viewing } from '../views/viewing.ts'
import { json, refusal, type WholeAnswer } from './answer.ts'
import type { Call } from './route.ts'

type Viewed<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly answer: WholeAnswer }

/** What is read, and what a refusal calls it. */
interface Needs {
  readonly what: string
  readonly reading?: Reading
  /** Whose pods have to be listable. */
  readonly namespace?: string | undefined
}

/** `view` of the call's picture; a 403 in place of it where the viewer may not list what it `needs`. */
export async function viewedValue<Value>(
  { services, viewer, picture }: Pick<Call<unknown>, 'services' | 'viewer' | 'picture'>,
  needs: Needs | undefined,
  view: (viewing: Viewing, seen: Seen) => Value,
): Promise<Viewed<Value>> {
  return services.access.viewed(viewer, picture, (seen): Viewed<Value> => {
    const { viewing } = seen
    const right = needs === undefined ? undefined : lackingRight(seen, needs)
    if (needs !== undefined && right !== undefined) return { ok: false, answer: forbidden(needs.what, right) }
    return { ok: true, value: view(viewing, seen) }
  })
}

function lackingRight(seen: Seen, { reading, namespace }: Needs): Right | undefined {
  const lacking = reading === undefined ? undefined : seen.lacking(reading)
  if (lacking !== undefined || namespace === undefined || seen.viewing.sees(namespace)) return lacking
  return { verb: 'list', group: '', resource: 'pods', namespace }
}

/** 403 in the words of the page. */
export function forbidden(what: string, right: Right): WholeAnswer {
  return refusal('reading-forbidden', {
    status: 403,
    message: forbiddenSentence(what, right),
    remedy: `Ask for a role that allows ${right.verb} on ${right.resource}.`,
  })
}

/** As JSON; `undefined` is a 404 with `missing` as its sentence. */
export async function viewedJson(
  call: Pick<Call<unknown>, 'services' | 'viewer' | 'picture'>,
  needs: Needs | undefined,
  view: (viewing: Viewing, seen: Seen) => unknown,
  missing?: () => string,
): Promise<WholeAnswer> {
  const viewed = await viewedValue(call, needs, view)
  if (!viewed.ok) return viewed.answer
  return viewed.value === undefined && missing !== undefined ? notThere(missing()) : json(viewed.value)
}

/** What was asked for by name is not there. */
export function notThere(message: string, links: readonly Link[] = []): WholeAnswer {
  return refusal('not-there', { status: 404, message, ...(links.length === 0 ? {} : { more: { links } }) })
}
