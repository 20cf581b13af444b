import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { deadLinks } from './dead-links.ts'
import { sidebarOf } from './navigation.ts'
import { anchorOf, pagesOf, siteLink } from './pages.ts'

const root = dirname(dirname(import.meta.dirname))
const pages = pagesOf(root)
const links = { root, pages, repository: 'https://example.com/ballast' }

test('every document has a place in the navigation', () => {
  expect(sidebarOf(pages).flatMap(({ items }) => items)).toHaveLength(pages.size)
})

test('a page without a place is named, and a place without a page', () => {
  expect(() => sidebarOf(new Map([...pages, ['new.md', 'docs/new.md']]))).toThrow(/lacks new\.md: add a row/)
  expect(() => sidebarOf(new Map([...pages].filter(([page]) => page !== 'twin.md')))).toThrow(
    /names twin, and there is no such page/,
  )
})

test.each([
  ['index.md', 'docs/twin.md#devices', './twin.md#devices'],
  ['index.md', 'CHANGELOG.md', './changes.md'],
  ['look.md', '../SECURITY.md', './security.md'],
  ['install.md', 'twin.md', './twin.md'],
  ['install.md', '#values', '#values'],
  ['dashboard.md', 'pictures/plan.png', '/pictures/plan.png'],
  ['index.md', 'examples/talos-homelab', 'https://example.com/ballast/tree/main/examples/talos-homelab'],
  ['twin.md', '../package.json', 'https://example.com/ballast/blob/main/package.json'],
  ['twin.md', 'https://kubernetes.io/docs', 'https://kubernetes.io/docs'],
])('on %s the link %s leads to %s', (page, link, target) => expect(siteLink(links, page, link)).toBe(target))

test('a link to what the clone does not have is refused', () => {
  expect(() => siteLink(links, 'twin.md', 'twins.md')).toThrow(
    'docs/twin.md: the link twins.md leads to docs/twins.md, and nothing is there',
  )
  expect(() => siteLink(links, 'index.md', '../other')).toThrow(/nothing is there/)
})

test('anchors are those of code hosts', () =>
  expect(anchorOf('What `ballast doctor` finds: 1_a')).toBe('what-ballast-doctor-finds-1_a'))

test('links of built pages that lead nowhere are told, a sentence each', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-links-'))
  try {
    const files = Object.entries({
      'index.html':
        '<h1 id="a">A</h1><a class="x" href="/b/sub/two.html#b">2</a><a href="#a">a</a><img src="./p.png"><a href="https://example.com/">out</a>',
      'sub/two.html':
        '<h1 id="b">B</h1><a href="../index.html#none">1</a><a href="three.html">3</a><a href="/two.html">out of it</a><a href="/b/">start</a>',
      'p.png': '',
    }).map(([path, text]) => {
      const file = join(folder, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
      return { path, file }
    })
    expect(deadLinks(files, '/b/')).toEqual([
      'sub/two.html: index.html has no heading #none',
      'sub/two.html: three.html leads to no file of the site',
      'sub/two.html: /two.html leads to no file of the site',
    ])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
