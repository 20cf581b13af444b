// What the generator is told: documents as they are, links as a code host follows them, search by an index among the files.
import type { DefaultTheme, UserConfig } from 'vitepress'
import { sidebarOf } from './navigation.ts'
import { anchorOf, type LinkTable, siteLink } from './pages.ts'

export interface SiteFacts extends LinkTable {
  readonly version: string
  /** The path that the site is served under, `/` or `/name/`. */
  readonly base: string
  /** Where the site goes. */
  readonly directory: string
}

export function configuration({ version, base, directory, ...links }: SiteFacts): UserConfig<DefaultTheme.Config> {
  return {
    base,
    title: 'Ballast',
    description: 'One arbiter for every disruption of a Kubernetes cluster, and a twin on which decisions are tried.',
    lang: 'en',
    outDir: directory,
    // A browser asks for an icon where a page names none.
    head: [['link', { rel: 'icon', href: 'data:,' }]],
    // Any static server finds `install.html`; few find it as `install`.
    cleanUrls: false,
    // The index of a search is one file.
    vite: { logLevel: 'warn', build: { chunkSizeWarningLimit: 8_000 } },
    markdown: {
      // Documents have no HTML. What looks like it, as <name>, is text.
      html: false,
      linkify: false,
      languageAlias: { haproxy: 'nginx' },
      anchor: { slugify: anchorOf },
      config: md => {
        md.core.ruler.push('site-links', ({ tokens, env }) => {
          for (const token of tokens.flatMap(({ children }) => children ?? []))
            for (const name of ['href', 'src'])
              if (token.attrGet(name) !== null)
                token.attrSet(name, siteLink(links, env.relativePath, String(token.attrGet(name))))
        })
        // The braces of Helm's templates are no expressions of the generator.
        for (const kind of ['text', 'code_inline'] as const) {
          const rule = md.renderer.rules[kind]
          if (rule !== undefined) md.renderer.rules[kind] = (...given) => rule(...given).replaceAll('{{', '&#123;&#123;')
        }
      },
    },
    themeConfig: {
      siteTitle: `Ballast ${version}`,
      search: { provider: 'local' },
      sidebar: sidebarOf(links.pages),
      outline: { level: [2, 3] },
      nav: [
        { text: 'Install', link: '/install' },
        { text: 'Try', link: '/twin' },
        { text: 'Repository', link: links.repository },
      ],
    },
  }
}
