// The page as the server writes it: it reads without a script and without a second request. The script draws the same and makes it live.
import type { Bundle } from '../build/bundle.ts'
import type { CapabilityView, Overview, Permit, RebalancingView } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { patternsMarkup } from '../web/drawn/bar.ts'
import { capabilityMarkup } from '../web/drawn/capability-page.ts'
import { navigationMarkup, statusMarkup } from '../web/drawn/header.ts'
import { element, type Markup, type Surroundings } from '../web/drawn/markup.ts'
import { compactRows } from '../web/drawn/node-rows.ts'
import { controlsMarkup, type RebalancingAsked, rebalancingSections } from '../web/drawn/rebalancing/page.ts'
import { unheardMarkup } from '../web/drawn/unheard.ts'
import { rfc3339 } from '../words/time.ts'
import { dataBlock, escaped, htmlOf } from './html.ts'
import { overviewSections } from './overview-sections.ts'

export interface PageOptions {
  /** Undefined: nothing of the cluster is shown. */
  readonly picture: Pick<Picture, 'nowMs' | 'mode' | 'cluster' | 'sources'> | undefined
  readonly overview: Overview | undefined
  /** The newest decisions; undefined: they may not be seen. */
  readonly permits?: readonly Permit[] | undefined
  /** What the page of rebalancing shows. */
  readonly rebalancing?: { readonly view: RebalancingView; readonly asked: RebalancingAsked } | undefined
  /** What the page of a capability shows. */
  readonly capability?: CapabilityView | undefined
  readonly bundle: Pick<Bundle, 'state' | 'problem' | 'entry'>
  /** Below the base path, with a leading slash. */
  readonly path: string
  readonly basePath: string
  /** What stands on a page that only a script draws otherwise, for browsers without one. */
  readonly plain?: ((surroundings: Surroundings) => readonly Markup[]) | undefined
  /** A sentence in place of the page: that there is none, or that it may not be seen. */
  readonly notice: string | undefined
  /** Whether it asks for a token. */
  readonly sessionForm: boolean
  /** Zone of the configuration; left out: the browser's, and UTC until the script knows it. */
  readonly displayZone?: string | undefined
  /** `loopback`, `token` or `proxy`. */
  readonly auth?: string | undefined
}

/** Seconds after which a browser without a script asks again; and while the script is being built. */
const refreshSeconds = 30
const buildingSeconds = 2

/** The whole document. Nodes beyond 60 come by the stream. */
export function pageHtml(options: PageOptions): string {
  const { overview, notice, sessionForm, bundle } = options
  const title = titleOf(options)
  const entry = bundle.entry()
  const base = options.basePath.replace(/\/$/, '')
  const surroundings: Surroundings = {
    nowMs: options.picture?.nowMs ?? 0,
    zone: options.displayZone ?? 'UTC',
    link: path => `${base}${path}`,
  }
  const main = sessionForm
    ? [signInForm()]
    : notice !== undefined
      ? [element('h1', { class: 'frame-title' }, title), element('p', {}, notice), wayOn(surroundings)]
      : pageMarkup(options, title, surroundings)
  const head = [
    '<meta charset="utf-8">',
    `<title>${escaped([title, options.picture?.cluster, 'Ballast'].filter(part => part !== undefined).join(' · '))}</title>`,
    '<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">',
    '<meta name="color-scheme" content="light dark">',
    ...(entry?.styles ?? []).map(path => `<link rel="stylesheet" href="${escaped(base + path)}">`),
    ...(entry?.preload ?? []).map(path => `<link rel="modulepreload" href="${escaped(base + path)}">`),
    ...(entry?.script === undefined ? [] : [`<script type="module" src="${escaped(base + entry.script)}"></script>`]),
    bundle.state === 'building'
      ? `<meta http-equiv="refresh" content="${buildingSeconds}">`
      : `<noscript><meta http-equiv="refresh" content="${refreshSeconds}"></noscript>`,
    `<link rel="icon" href="data:,">`,
  ]
  const body = [
    htmlOf(element('a', { class: 'frame-skip', href: '#main' }, 'Skip to content')),
    htmlOf(patternsMarkup()),
    htmlOf(headerMarkup(options, surroundings)),
    htmlOf(
      element(
        'div',
        { class: 'frame-banners' },
        problemBanner(bundle),
        unheardMarkup(options.picture?.sources ?? [], options.path, overview?.loading?.text ?? null),
      ),
    ),
    overview?.mode === 'twin' ? htmlOf(twinBar(surroundings)) : '',
    htmlOf(element('main', { id: 'main', class: `frame-main frame-page-${pageName(options.path)}`, tabindex: -1 }, main)),
    htmlOf(element('footer', { class: 'frame-footer' }, element('a', { href: surroundings.link('/help') }, 'Help'))),
  ]
  const data = overview === undefined ? '' : dataBlock('first', embeddable(overview))
  return `<!doctype html>\n${htmlStart(options)}<head>${head.join('')}</head><body><div id="page">${body.join('')}</div>${data}</body></html>\n`
}

function htmlStart({ basePath, displayZone, auth, picture }: PageOptions): string {
  const attributes: Readonly<Record<string, string | undefined>> = {
    lang: 'en',
    'data-base': basePath,
    'data-zone': displayZone,
    'data-auth': auth,
    'data-now': picture === undefined ? undefined : rfc3339(picture.nowMs),
    'data-cluster': picture?.cluster,
  }
  const written = Object.entries(attributes).map(([name, value]) => (value === undefined ? '' : ` ${name}="${escaped(value)}"`))
  return `<html${written.join('')}>`
}

// A map, since the first part of an address is anything: `constructor` too.
const titles: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '': 'Overview',
    plan: 'Plan',
    permits: 'Permits',
    workload: 'Workload',
    workloads: 'Workloads',
    pod: 'Pod',
    node: 'Node',
    images: 'Images',
    rebalancing: 'Rebalancing',
    twin: 'Twin',
    settings: 'Settings',
    help: 'Help',
  }),
)

const pageName = (path: string): string => path.split('/')[1] || 'overview'

function titleOf({ path, notice, sessionForm, capability }: PageOptions): string {
  if (sessionForm) return 'Sign in'
  const [, head = '', ...rest] = path.split('/')
  const name = capability?.title ?? titles.get(head)
  if (name === undefined) return 'No such page'
  if (notice !== undefined && rest.length === 0) return name
  if (head === 'plan' && rest[1] === 'replay') return `Replay ${decoded(rest[0] ?? '')}`
  const last = rest.at(-1)
  return last === undefined || last === '' ? name : `${name} ${decoded(last)}`
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // A percent sign that encodes nothing is shown as it is.
    return part
  }
}

/** The overview and rebalancing whole; of the other pages the frame, which the script fills. */
function pageMarkup(
  { path, overview, permits, rebalancing, capability, plain, bundle }: PageOptions,
  title: string,
  surroundings: Surroundings,
): readonly Markup[] {
  if (overview === undefined && plain === undefined) return [element('h1', { class: 'frame-title' }, title)]
  if (overview !== undefined && (path === '/' || path === ''))
    return [element('h1', { class: 'frame-unseen', tabindex: -1 }, title), ...overviewSections(overview, permits, surroundings)]
  if (rebalancing !== undefined)
    return [
      element('h1', { class: 'frame-title', tabindex: -1 }, title),
      controlsMarkup(rebalancing.asked, surroundings),
      ...rebalancingSections(rebalancing.view, rebalancing.asked, surroundings),
    ]
  if (capability !== undefined)
    return [element('h1', { class: 'frame-title', tabindex: -1 }, title), ...capabilityMarkup(capability, surroundings)]
  return [
    element('h1', { class: 'frame-title', tabindex: -1 }, title),
    ...plainMarkup(bundle, plain?.(surroundings) ?? [wayOn(surroundings)]),
  ]
}

/** For a browser without scripts; where the page's own script could not be built it is all that there will be. */
function plainMarkup({ state }: PageOptions['bundle'], content: readonly Markup[]): readonly Markup[] {
  if (state === 'failed') return content
  return [element('noscript', {}, ...content), element('div', { class: 'frame-loading', 'aria-busy': 'true' })]
}

function wayOn({ link }: Surroundings): Markup {
  return element('p', {}, element('a', { href: link('/') }, 'Overview'))
}

function headerMarkup({ picture, overview, path }: PageOptions, surroundings: Surroundings): Markup {
  const mode = picture?.mode ?? 'cluster'
  return element(
    'header',
    { class: 'frame-header' },
    element('a', { class: 'frame-brand', href: surroundings.link('/') }, 'Ballast'),
    navigationMarkup({ path, mode, pages: overview?.pages ?? [] }, surroundings),
    element('div', { class: 'frame-search' }),
    picture === undefined
      ? element('div', { class: 'frame-status' })
      : statusMarkup(
          {
            cluster: picture.cluster,
            mode,
            speed: overview?.speed ?? null,
            state: { kind: 'connecting', text: '○ as loaded' },
            clockNote: undefined,
          },
          surroundings,
        ),
  )
}

function twinBar({ link }: Surroundings): Markup {
  return element(
    'section',
    { class: 'twin-bar', 'aria-label': 'Twin' },
    element('a', { class: 'twin-word', href: link('/twin') }, 'twin'),
  )
}

/** A page that reads but does not move says why. */
function problemBanner({ state, problem }: PageOptions['bundle']): Markup | undefined {
  if (state !== 'failed' || problem === undefined) return undefined
  return element(
    'div',
    { class: 'frame-banner', role: 'status' },
    element(
      'p',
      {},
      `This page reads but does not move. ${problem.message} Remedy: ${problem.remedy}. `,
      element('code', {}, problem.code),
    ),
  )
}

function signInForm(): Markup {
  return element(
    'div',
    {},
    element('h1', { class: 'frame-title' }, 'Sign in'),
    element('p', {}, 'This dashboard asks for a bearer token, which your browser sends once.'),
    element('noscript', {}, element('p', {}, 'Signing in needs the script of this page.')),
  )
}

/** What stands in the page as data: without the rows of a large cluster. */
function embeddable(overview: Overview): Overview {
  return overview.totals.nodes > compactRows ? { ...overview, nodes: [], columns: null } : overview
}
