// Pages: HTML that reads by itself, with the first overview in it; the same as plain text for who asks for that.

import { messageOf } from '#kube/log.ts'
import { forbiddenSentence } from '../access/reading-rights.ts'
import type { Viewer } from '../access/viewer.ts'
import type { Seen } from '../access/viewing-of.ts'
import { capabilityViewOf, noPageText, pagesOn } from '../capability-page.ts'
import type { PageOptions } from '../page/page.ts'
import type { Picture } from '../picture.ts'
import { permitPage } from '../views/ledger/permits.ts'
import { isNotThere } from '../views/not-there.ts'
import { overviewOf } from '../views/overview.ts'
import { rebalancingViewOf } from '../views/plans/rebalancing.ts'
import { everything } from '../views/viewing.ts'
import { workloadViewOf } from '../views/workloads/workload.ts'
import { pagePaths } from '../words/links.ts'
import { answerOf, htmlType, redirect, textType, type WholeAnswer } from './answer.ts'
import { noNode, noPlan, noPod, noReplay, refOf, replaySeen } from './api-routes.ts'
import type { Asked } from './asked.ts'
import { pictureOf } from './moments.ts'
import { plainPage, readingOfPage } from './plain-page.ts'
import { pageQueryOf, seesOf } from './rebalancing-routes.ts'
import type { Services } from './services.ts'

interface Paged {
  readonly services: Services
  readonly asked: Asked
}

/** What a path shows: whether there is such a page, and such a thing. */
interface Found {
  readonly status: 200 | 404
  readonly notice?: string
  /** The page to go to instead. */
  readonly instead?: string
}

const found: Found = { status: 200 }
const onePart = ['plan', 'permits', 'workloads', 'workload', 'images', 'rebalancing', 'twin', 'settings', 'help']
/** The page of a path, for a viewer that was let in. */
export async function pageAnswer({ services, asked }: Paged, viewer: Viewer): Promise<WholeAnswer> {
  const moment = pictureOf(services.source.current(), asked.query.get('at'))
  if (!moment.ok) return wantsText(asked) ? moment.answer : noPicture({ services, asked }, moment.answer)
  const { picture } = moment
  return services.access.viewed(viewer, picture, seen => seenPage({ services, asked }, picture, { seen, viewer }))
}

function seenPage(
  { services, asked }: Paged,
  picture: Picture,
  { seen, viewer }: { readonly seen: Seen; readonly viewer: Viewer },
): WholeAnswer {
  const [head = '', ...rest] = asked.segments
  const lacking = seen.lacking('nodes')
  const reading = readingOfPage(head)
  const missing = reading === undefined ? undefined : seen.lacking(reading)
  // Nobody can say of what may not be read that it is not there.
  const page = missing === undefined ? pageOf(asked, picture, seen) : found
  if (wantsText(asked)) {
    const forbidden = lacking === undefined ? undefined : `${forbiddenSentence('nodes', lacking)}\n`
    const text =
      page.status === 404
        ? `${page.notice ?? 'There is no such page.'}\n`
        : (forbidden ?? services.terminalView(picture, seen.viewing))
    const status = page.status === 404 ? 404 : forbidden === undefined ? 200 : 403
    return answerOf(textType, text.endsWith('\n') ? text : `${text}\n`, { status })
  }
  if (page.instead !== undefined) {
    const query = asked.query.size === 0 ? '' : `?${asked.query}`
    return redirect(302, `${services.configuration.basePath}${page.instead.slice(1)}${query}`)
  }
  const own = lacking === undefined ? ownPage({ services, asked }, picture, seen) : undefined
  if (own !== undefined && 'failed' in own) {
    const shown = { picture, overview: overviewOf(picture, seen.viewing), notice: own.failed, sessionForm: false }
    return html({ services, asked }, 500, shown)
  }
  const forbidden = reading === undefined || missing === undefined ? undefined : forbiddenSentence(reading, missing)
  const notice = page.notice ?? forbidden
  const plain = notice === undefined ? plainPage(head, { picture, seen, viewer, services, rest, query: asked.query }) : undefined
  return html({ services, asked }, page.status, {
    picture,
    overview: lacking === undefined ? overviewOf(picture, seen.viewing) : undefined,
    permits: latestOf(picture, seen),
    rebalancing: lacking === undefined ? rebalancingOf(asked, picture, seen) : undefined,
    capability: own?.view,
    plain,
    notice,
    sessionForm: false,
  })
}

/** What a capability's page shows at this address, or why it cannot: the head with the ways to the other pages stays. */
function ownPage(
  { services, asked }: Paged,
  picture: Picture,
  { viewing }: Seen,
): { readonly view: PageOptions['capability'] } | { readonly failed: string } {
  try {
    return { view: capabilityViewOf(picture, asked.path.slice(1), viewing) }
  } catch (error) {
    const why = messageOf(error)
    services.log.error({ path: asked.path, why }, 'a view failed')
    return { failed: `This cannot be shown: ${why}` }
  }
}

/** The page that asks for a token: it shows nothing of the cluster. */
export function signInPage({ services, asked }: Paged): WholeAnswer {
  return html({ services, asked }, 401, { picture: undefined, overview: undefined, notice: undefined, sessionForm: true })
}

/** A page that only says what is wrong. */
export function noPicture({ services, asked }: Paged, { status, body }: WholeAnswer): WholeAnswer {
  const { error }: { readonly error: { readonly message: string; readonly remedy: string | null } } = JSON.parse(String(body))
  const notice = error.remedy === null ? error.message : `${error.message} ${error.remedy}`
  if (wantsText(asked)) return answerOf(textType, `${notice}\n`, { status })
  return html({ services, asked }, status, { picture: undefined, overview: undefined, notice, sessionForm: false })
}

/** Decisions that stand on the page as the server writes it. */
const latestPermits = 10

function latestOf(picture: Picture, seen: Seen): PageOptions['permits'] {
  if (picture.loading !== undefined || seen.lacking('permits') !== undefined) return undefined
  return permitPage(picture, { limit: latestPermits }, seen.viewing).permits
}

/** What the page of rebalancing shows; other pages do not. */
function rebalancingOf({ path, query }: Asked, picture: Picture, seen: Seen): PageOptions['rebalancing'] {
  if (path !== pagePaths.rebalancing || picture.loading !== undefined) return undefined
  const asked = pageQueryOf(query)
  const view = rebalancingViewOf(picture, asked, seesOf(seen))
  const at = query.get('at') ?? undefined
  return view === undefined ? undefined : { view, asked: { ...asked, nodes: asked.nodes.join(','), at } }
}

type Shown = Pick<
  PageOptions,
  'picture' | 'overview' | 'permits' | 'rebalancing' | 'capability' | 'plain' | 'notice' | 'sessionForm'
>

function html({ services, asked }: Paged, status: number, shown: Shown): WholeAnswer {
  const { bundle, configuration, pageHtml } = services
  const { basePath, timeZone: displayZone, auth } = configuration
  return answerOf(htmlType, pageHtml({ ...shown, bundle, path: asked.path, basePath, displayZone, auth: auth.mode }), { status })
}

/** Plain text before HTML: `curl -H 'Accept: text/plain'`. */
export function wantsText({ headers }: Pick<Asked, 'headers'>): boolean {
  const { accept = '' } = headers
  return accept.includes('text/plain') && !accept.includes('text/html')
}

function pageOf({ segments, query }: Asked, picture: Picture, seen: Seen): Found {
  const { viewing } = seen
  const parts = segments.filter(segment => segment !== '')
  const [head = '', ...rest] = parts
  if (parts.length === 0) return found
  const [first = '', second = '', third = ''] = rest
  if (head === 'rebalancing' && rest.length === 0 && picture.loading === undefined) {
    const { plan } = pageQueryOf(query)
    const isThere = plan === undefined || picture.book.plans.some(({ metadata }) => metadata.name === plan)
    return isThere ? found : gone(noPlan(picture, plan))
  }
  if (rest.length === 0)
    return onePart.includes(head) || pagesOn(picture).some(({ path }) => path === head) ? found : noPageAt(head)
  if (picture.loading !== undefined) return found
  if (head === 'plan' && rest.length === 1)
    return picture.book.plans.some(plan => plan.metadata.name === first) ? found : gone(noPlan(picture, first))
  if (head === 'plan' && rest.length === 2 && second === 'replay') {
    const pool = query.get('pool') ?? undefined
    return replaySeen(picture, first, pool, seen) === undefined ? gone(noReplay(picture, first, pool)) : found
  }
  if (head === 'node' && rest.length === 1) return picture.state.nodes.has(first) ? found : gone(noNode(picture, first))
  if (head === 'pod' && rest.length === 2)
    return picture.past === undefined && viewing.sees(first) ? podPage(picture, first, second) : found
  if (head !== 'workload') return noPageAt(head)
  // A workload of the cluster has an empty namespace in its path.
  const [namespace, kind, name] = segments.length === 4 ? segments.slice(1) : [first, second, third]
  if (segments.length !== 4) return noPageAt(head)
  if (namespace !== '' && !viewing.sees(namespace)) return found
  const view = workloadViewOf(picture, refOf({ namespace: namespace ?? '', kind: kind ?? '', name: name ?? '' }), viewing)
  return isNotThere(view) ? gone(view.sentence.text) : found
}

const noPageAt = (head: string): Found => ({ status: 404, notice: noPageText(head) })

function gone(notice: string): Found {
  return { status: 404, notice }
}

/** A pod's page is that of its workload; a bare pod has its own. */
function podPage(picture: Picture, namespace: string, name: string): Found {
  const pod = picture.state.pods.get(`${namespace}/${name}`)
  if (pod === undefined) return gone(noPod(picture, `${namespace}/${name}`))
  const { workload } = pod
  if (workload === undefined) return found
  const path = [workload.namespace, workload.kind, workload.name].map(encodeURIComponent).join('/')
  return { status: 200, instead: `/workload/${path}` }
}

/** Whether the page can be made at all: what a probe asks. */
export function canRender({ source }: Pick<Services, 'source'>): boolean {
  overviewOf(source.current(), everything)
  return true
}
