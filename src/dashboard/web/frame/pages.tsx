// Which component shows a page. All but the overview are fetched when they are first opened.
import { signal } from '@preact/signals'
import type { ComponentType } from 'preact'
import { OverviewPage } from '../pages/overview.tsx'
import { PageTitle } from './page-title.tsx'
import { A, address } from './router.tsx'
import type { PageName } from './routes.ts'

type Page = ComponentType<{ params: Readonly<Record<string, string>> }>

const loaders: { readonly [Name in Exclude<PageName, 'overview' | 'not-found'>]: () => Promise<Page> } = {
  plans: async () => (await import('../pages/plans.tsx')).PlansPage,
  plan: async () => (await import('../pages/plan.tsx')).PlanPage,
  replay: async () => (await import('../pages/replay.tsx')).ReplayPage,
  permits: async () => (await import('../pages/permits.tsx')).PermitsPage,
  workloads: async () => (await import('../pages/workloads.tsx')).WorkloadsPage,
  workload: async () => (await import('../pages/workload.tsx')).WorkloadPage,
  node: async () => (await import('../pages/node.tsx')).NodePage,
  images: async () => (await import('../pages/images.tsx')).ImagesPage,
  rebalancing: async () => (await import('../pages/rebalancing.tsx')).RebalancingPage,
  twin: async () => (await import('../pages/twin.tsx')).TwinPage,
  settings: async () => (await import('../pages/settings.tsx')).SettingsPage,
  capability: async () => (await import('../pages/capability.tsx')).CapabilityPage,
  help: async () => (await import('../pages/help.tsx')).HelpPage,
}

type LoadedPage = Page | 'loading' | 'failed'

const loaded = signal<Readonly<Partial<Record<PageName, LoadedPage>>>>({})

/** The page, once it is there; the first call fetches it. */
export function pageOf(name: PageName): LoadedPage {
  if (name === 'overview') return OverviewPage
  if (name === 'not-found') return NotFoundPage
  const known = loaded.value[name]
  if (known === undefined) queueMicrotask(() => void load(name))
  return known ?? 'loading'
}

/** Fetches it again after it failed. */
export function reloadPage(name: PageName): void {
  if (name !== 'overview' && name !== 'not-found') void load(name)
}

/** `isAhead`: nobody has asked for it yet. Where that fails it is as if it had not been tried: whoever leaves the page breaks it off. */
async function load(name: keyof typeof loaders, isAhead = false): Promise<void> {
  if (loaded.peek()[name] === 'loading') return
  note(name, 'loading')
  try {
    note(name, await loaders[name]())
  } catch (error) {
    if (isAhead) {
      const { [name]: _, ...others } = loaded.peek()
      loaded.value = others
      return
    }
    // A new version has other files, or the server is away: the page says so and offers both ways on.
    console.warn(`ballast: the page ${name} could not be fetched`, error)
    note(name, 'failed')
  }
}

function note(name: PageName, page: LoadedPage): void {
  loaded.value = { ...loaded.peek(), [name]: page }
}

/** Fetches the others while nothing else is to be done, so that opening them takes no time. */
export function fetchAhead(): void {
  const names: readonly (keyof typeof loaders)[] = ['plans', 'plan', 'permits', 'workload', 'node']
  const idle = 'requestIdleCallback' in globalThis ? requestIdleCallback : (then: () => void) => setTimeout(then, 1000)
  idle(() => {
    for (const name of names) if (loaded.peek()[name] === undefined) void load(name, true)
  })
}

function NotFoundPage() {
  return (
    <>
      <PageTitle text="No such page" />
      <p>
        There is nothing at <code>{address.value.path}</code>. <A href="/">Overview</A>
      </p>
    </>
  )
}
