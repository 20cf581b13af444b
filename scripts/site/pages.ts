// Which documents are pages of the site, and where a link of one leads there. The documents stay as a code host shows them.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'

/** Documents beside the manuals, and the page of each. */
const beside: Readonly<Record<string, string>> = {
  'README.md': 'index.md',
  'CHANGELOG.md': 'changes.md',
  'ARCHITECTURE.md': 'architecture.md',
  'CONTRIBUTING.md': 'contributing.md',
  'SECURITY.md': 'security.md',
}

const manuals = 'docs/'

/** Page → the document that it shows; both are paths with `/`, of the site and of the clone. */
export type Pages = ReadonlyMap<string, string>

/** The pages of a clone. */
export function pagesOf(root: string): Pages {
  const documents = readdirSync(join(root, manuals)).filter(name => name.endsWith('.md'))
  return new Map([
    ...Object.entries(beside).map(([document, page]) => [page, document] as const),
    ...documents.toSorted().map(name => [name, `${manuals}${name}`] as const),
  ])
}

export interface LinkTable {
  readonly root: string
  readonly pages: Pages
  /** Where the clone is looked at in a browser, without a slash at the end. */
  readonly repository: string
}

/**
 * Where a link that stands on a page leads in the site: another page, a picture, or what the repository has.
 * @throws Error where the clone has nothing there
 */
export function siteLink({ root, pages, repository }: LinkTable, page: string, link: string): string {
  if (link.startsWith('#') || /^[a-z][a-z\d+.-]*:/i.test(link)) return link
  const [path = '', anchor] = link.split('#')
  const document = pages.get(page) ?? page
  const target = posix.join(posix.dirname(document), decodeURI(path)).replace(/\/$/, '')
  const hash = anchor === undefined ? '' : `#${anchor}`
  for (const [other, shown] of pages) if (shown === target) return `./${other}${hash}`
  if (target.startsWith('..') || !existsSync(join(root, target)))
    throw new Error(`${document}: the link ${link} leads to ${target}, and nothing is there; name a path from ${document}`)
  if (target.startsWith(`${manuals}pictures/`)) return `/${target.slice(manuals.length)}`
  const form = statSync(join(root, target)).isDirectory() ? 'tree' : 'blob'
  return `${repository}/${form}/main/${target}${hash}`
}

/** The anchor of a heading, as code hosts make it: links of documents count on it. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')
}
