// Pages that capabilities bring: each says in sentences and tables what it knows, and the dashboard draws them all alike.
import type { Capability } from '#coordination/capability.ts'
import type { CapabilityView } from './contract.ts'
import type { OwnPage, Picture } from './picture.ts'
import type { Viewing } from './views/viewing.ts'
import { pagePaths } from './words/links.ts'

/** First parts of addresses that are taken, beside the pages without a name. */
const taken: ReadonlySet<string> = new Set(['api', 'assets', 'debug', 'export', 'node', 'pod', 'workload', 'session'])

/** The pages of `capabilities`. @throws Error where one has an address that is none, or is taken */
export async function pagesOf(capabilities: readonly Capability[]): Promise<readonly OwnPage[]> {
  const pages = await Promise.all(
    capabilities.map(async ({ name, page }) => (page === undefined ? [] : [{ capability: name, own: await page() }])),
  )
  const seen = new Set<string>([...taken, ...Object.values(pagePaths).map(path => path.slice(1))])
  return pages.flat().map(({ capability, own }) => {
    const { path, title } = own
    if (!/^[a-z][a-z0-9-]*$/.test(path))
      throw new Error(`page of ${capability}: ${JSON.stringify(path)} is no part of an address`)
    if (seen.has(path)) throw new Error(`page of ${capability}: the address /${path} is taken`)
    seen.add(path)
    return {
      capability,
      path,
      title,
      view: (picture, viewing) => bounded(withOwner(capability, () => own.view(picture, viewing))),
    }
  })
}

/** @throws Error that says whose page failed, where `view` throws */
function withOwner(capability: string, view: () => CapabilityView): CapabilityView {
  try {
    return view()
  } catch (error) {
    throw new Error(`page of ${capability} failed`, { cause: error })
  }
}

/** As many rows of a table as the contract allows; `total` counts the others. */
const mostRows = 1_000

function bounded(view: CapabilityView): CapabilityView {
  const isLong = view.tables.some(({ rows }) => rows.length > mostRows)
  if (!isLong) return view
  return {
    ...view,
    tables: view.tables.map(table => ({
      ...table,
      rows: table.rows.slice(0, mostRows),
      total: Math.max(table.total, table.rows.length),
    })),
  }
}

/** The pages of what is on. */
export const pagesOn = ({ pages = [], capabilities }: Pick<Picture, 'pages' | 'capabilities'>): readonly OwnPage[] =>
  pages.filter(({ capability }) => capabilities.includes(capability))

/** What the page at `/<path>` shows; `undefined` where there is none. */
export function capabilityViewOf(picture: Picture, path: string, viewing: Viewing): CapabilityView | undefined {
  return pagesOn(picture)
    .find(page => page.path === path)
    ?.view(picture, viewing)
}

/** Pages of capabilities that this version does not have yet. */
const later: ReadonlyMap<string, string> = new Map([
  ['rightsizing', 'Right-sizing'],
  ['power', 'Power'],
  ['provision', 'Node buying'],
])

/** Why there is nothing at `/<path>`. */
export function noPageText(path: string): string {
  const title = later.get(path)
  return title === undefined
    ? 'There is no such page.'
    : `${title} is no part of this version of Ballast: there is no setting to turn it on yet.`
}
