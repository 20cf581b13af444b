// The page around the pages.
import { useEffect } from 'preact/hooks'
import type { Overview } from '../../contract.ts'
import { patternsMarkup } from '../drawn/bar.ts'
import { Drawn } from '../drawn/drawn.tsx'
import { useTopic } from '../live/topics.ts'
import { PauseKey } from '../nodes/pause-key.tsx'
import { TwinBar } from '../twin/twin-bar.tsx'
import { Banners } from './banners.tsx'
import { clusterName } from './cluster-name.ts'
import { ErrorBoundary } from './error-boundary.tsx'
import { Footer } from './footer.tsx'
import { Header } from './header.tsx'
import { leaveFocus } from './kept-focus.ts'
import { useKey } from './keys.ts'
import { LiveRegions } from './live-region.tsx'
import { PageTitle } from './page-title.tsx'
import { pageOf, reloadPage } from './pages.tsx'
import { at } from './past.ts'
import { address, go } from './router.tsx'
import { toggleTheme } from './theme.ts'

export function Frame() {
  const overview = useTopic<Overview>('overview').value.value
  const { page, params, path } = address.value
  useEffect(() => {
    if (overview !== undefined) clusterName.value = overview.cluster
  }, [overview?.cluster])
  const isTwin = overview?.mode === 'twin'
  useFrameKeys(isTwin)
  return (
    <>
      <a class="frame-skip" href="#main">
        Skip to content
      </a>
      <Drawn of={patternsMarkup()} />
      <Header overview={overview} />
      <Banners />
      {isTwin && at.value === undefined ? <TwinBar /> : null}
      <main id="main" class={`frame-main frame-page-${page}`} tabIndex={-1}>
        <ErrorBoundary of={path}>
          <Shown name={page} params={params} />
        </ErrorBoundary>
      </main>
      {overview === undefined || at.value !== undefined ? null : <PauseKey overview={overview} />}
      <Footer />
      <LiveRegions />
    </>
  )
}

function Shown({ name, params }: { name: Parameters<typeof pageOf>[0]; params: Readonly<Record<string, string>> }) {
  const Page = pageOf(name)
  if (Page === 'loading')
    return (
      <div class="frame-loading" aria-busy="true">
        <PageTitle text="Loading" hidden />
      </div>
    )
  if (Page === 'failed')
    return (
      <>
        <PageTitle text="This page could not be fetched" />
        <p>The server is away, or another version of it runs now.</p>
        <p class="frame-choices">
          <button type="button" class="widgets-button" onClick={() => reloadPage(name)}>
            Try again
          </button>
          <button type="button" class="widgets-button" onClick={() => location.reload()}>
            Reload
          </button>
        </p>
      </>
    )
  return <Page params={params} />
}

function useFrameKeys(isTwin: boolean): void {
  useKey('?', 'Keys and words', () => go('/help'))
  useKey('g o', 'Overview', () => go('/'))
  useKey('g p', 'Plan', () => go('/plan'))
  useKey('g d', 'Permits: what was decided', () => go('/permits'))
  useKey('g w', 'Workloads', () => go('/workloads'))
  useKey('g i', 'Images', () => go('/images'))
  useKey('g r', 'Rebalancing over time', () => go('/rebalancing'))
  useKey('g t', 'Twin', () => {
    if (isTwin) go('/twin')
  })
  useKey('t', 'Light or dark', toggleTheme)
  useKey('j', 'Next row', () => stepRow(1))
  useKey('k', 'Row before', () => stepRow(-1))
  useKey('f', 'Filter what the page shows', focusFilter)
  useKey('Enter', 'Open the row', openRow)
  useKey('Escape', 'Back to the page', leaveField)
}

/** What narrows the rows of a page: a field to type in before menus. */
const filters = [
  'main input[type="search"]',
  'main input[type="text"]',
  'main .widgets-chips select',
  'main .widgets-chips summary',
]

/** The page's own filter; where it has none, the search of all things. */
function focusFilter(): void {
  for (const selector of [...filters, '.frame-search-field']) {
    const found = [...document.querySelectorAll<HTMLElement>(selector)].find(element => element.offsetParent !== null)
    if (found === undefined) continue
    found.focus()
    if (found instanceof HTMLInputElement) found.select()
    return
  }
}

/** Follows the first link of the row that has the focus; links and buttons do that by themselves. */
function openRow(): void {
  const { activeElement } = document
  if (activeElement?.matches('[data-row]') === true) activeElement.querySelector<HTMLElement>('a[href]')?.click()
}

/** Out of a field or a row, to the heading: the keys of the page work from there, and Tab goes on below it. */
function leaveField(): void {
  const heading = document.querySelector<HTMLElement>('main h1')
  leaveFocus()
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
  heading?.focus({ preventScroll: true })
}

/** Moves the focus to the next row (1) or the one before (-1); from elsewhere to the first or the last. */
function stepRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')].filter(row => row.offsetParent !== null)
  const current = rows.findIndex(row => row.contains(document.activeElement))
  const next = rows[current < 0 ? (step > 0 ? 0 : rows.length - 1) : current + step]
  const target = next?.querySelector<HTMLElement>('a[href], button') ?? next
  target?.focus()
  target?.scrollIntoView({ block: 'nearest' })
}
