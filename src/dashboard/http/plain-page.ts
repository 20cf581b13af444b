// What a page shows without a script: its view as this viewer may see it, drawn as tables. The overview, rebalancing and the pages of
// capabilities are drawn by the server in any case.

import type { Reading } from '../access/reading-rights.ts'
import type { Viewer } from '../access/viewer.ts'
import type { Seen } from '../access/viewing-of.ts'
import type { PageOptions } from '../page/page.ts'
import { plainHelp } from '../page/plain/plain-help.ts'
import { plainPlan, plainPlans } from '../page/plain/plain-plan.ts'
import { plainReplay, wayToPlan } from '../page/plain/plain-replay.ts'
import {
  plainImages,
  plainNode,
  plainPermits,
  plainSettings,
  plainTwin,
  plainWorkload,
  plainWorkloads,
} from '../page/plain/plain-things.ts'
import { plainRows } from '../page/plain/tables.ts'
import type { Picture } from '../picture.ts'
import { permitPage } from '../views/ledger/permits.ts'
import { imagesViewOf } from '../views/nodes/images.ts'
import { nodePodsOf, nodeViewOf } from '../views/nodes/node.ts'
import { isNotThere } from '../views/not-there.ts'
import { plansOf, planViewOf } from '../views/plans/plan.ts'
import { settingRows } from '../views/settings.ts'
import { twinViewOf } from '../views/twin.ts'
import { workloadRows, workloadViewOf } from '../views/workloads/workload.ts'
import { noPermitsText, noPlansText, noWorkloadsText } from '../words/en-empty.ts'
import { permitQueryOf, refOf, replaySeen } from './api-routes.ts'
import type { Services } from './services.ts'

type Plain = NonNullable<PageOptions['plain']>

interface Asked {
  readonly picture: Picture
  readonly seen: Seen
  readonly viewer: Viewer
  readonly services: Services
  /** Parts of the path after the first. */
  readonly rest: readonly string[]
  readonly query: URLSearchParams
}

interface PlainPage {
  /** What has to be listable for it. */
  readonly needs?: Reading
  /** `undefined`: there is nothing of that name. */
  draw(asked: Asked): Plain | undefined
}

/** Pages by the first part of their path. */
const pages: ReadonlyMap<string, PlainPage> = new Map<string, PlainPage>([
  ['plan', { needs: 'plans', draw: plansOrOne }],
  ['permits', { needs: 'permits', draw: permits }],
  ['workloads', { draw: workloads }],
  ['workload', { draw: workload }],
  ['node', { needs: 'nodes', draw: node }],
  [
    'images',
    {
      needs: 'nodes',
      draw:
        ({ picture, seen }) =>
        at =>
          plainImages(imagesViewOf(picture, seen.viewing), at),
    },
  ],
  ['settings', { needs: 'settings', draw: settings }],
  ['twin', { draw: twin }],
  ['help', { draw: () => plainHelp }],
])

/** What has to be listable for the page that begins with `head`; undefined: nothing beyond what each part asks for. */
export function readingOfPage(head: string): Reading | undefined {
  const page = pages.get(head)
  return page === undefined ? 'nodes' : page.needs
}

/** `undefined`: the page is drawn otherwise, or shows nothing. */
export function plainPage(head: string, asked: Asked): Plain | undefined {
  return asked.picture.loading === undefined ? pages.get(head)?.draw(asked) : undefined
}

function plansOrOne({ picture, seen, rest: [name, part], query }: Asked): Plain | undefined {
  if (name === undefined) return at => plainPlans(plansOf(picture), noPlansText(picture.sources), at)
  if (part === 'replay') {
    const replay = replaySeen(picture, name, query.get('pool') ?? undefined, seen)
    return replay === undefined ? undefined : at => [wayToPlan(name, at), ...plainReplay(replay, at)]
  }
  const view = planViewOf(picture, name, seen.viewing)
  return view === undefined ? undefined : at => plainPlan(view, at)
}

const dayMs = 24 * 3_600_000

function permits({ picture, seen }: Asked): Plain {
  const page = permitPage(
    picture,
    { ...permitQueryOf({}, picture), sinceMs: picture.nowMs - dayMs, limit: plainRows },
    seen.viewing,
  )
  return at => plainPermits(page, noPermitsText(picture.sources), at)
}

function workloads({ picture, seen, query }: Asked): Plain {
  const text = query.get('q') ?? ''
  const page = workloadRows(picture, { text, limit: plainRows }, seen.viewing)
  const empty =
    text === '' ? noWorkloadsText(picture.sources) : `No workload has ${JSON.stringify(text)} in its namespace or name.`
  return at => plainWorkloads(page, empty, at)
}

function workload({ picture, seen, rest: [namespace = '', kind = '', name = ''] }: Asked): Plain | undefined {
  const view = workloadViewOf(picture, refOf({ namespace, kind, name }), seen.viewing)
  return isNotThere(view) ? undefined : at => plainWorkload(view, at)
}

function node({ picture, seen, rest: [name = ''] }: Asked): Plain | undefined {
  const view = nodeViewOf(picture, name, seen.viewing)
  const asked = { sort: 'cpu', descending: true, cursor: null, limit: plainRows, query: '' } as const
  const pods = nodePodsOf(picture, name, asked, seen.viewing)
  return view === undefined || pods === undefined ? undefined : at => plainNode(view, pods, at)
}

function settings({ picture, services, viewer }: Asked): Plain {
  const rows = settingRows(picture, services.settings)
  return () => plainSettings(rows, viewer)
}

function twin({ picture, seen }: Asked): Plain | undefined {
  const view = twinViewOf(picture, seen.viewing)
  return view === undefined ? undefined : at => plainTwin(view, at)
}
