// The page as the server writes it: D30 of the specification, and that nothing of a cluster becomes markup.
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Bundle } from '../build/bundle.ts'
import type { NodeRow, Overview } from '../contract.ts'
import { permitPage } from '../views/ledger/permits.ts'
import { overviewOf } from '../views/overview.ts'
import { ago, homelab, minute, nowMs, permitObject, pictureOf } from '../views/testdata/homelab.ts'
import { everything } from '../views/viewing.ts'
import { type PageOptions, pageHtml } from './page.ts'

const picture = pictureOf(homelab())
const overview = overviewOf(picture, everything)

const bundle: Pick<Bundle, 'state' | 'problem' | 'entry'> = {
  state: 'ready',
  problem: undefined,
  entry: () => ({ script: '/assets/main-a1.js', styles: ['/assets/main-a1.css'], preload: ['/assets/live-b2.js'] }),
}

function html(change: Partial<PageOptions> = {}): string {
  return pageHtml({
    picture,
    overview,
    bundle,
    path: '/',
    basePath: '/',
    notice: undefined,
    sessionForm: false,
    displayZone: 'Europe/Berlin',
    ...change,
  })
}

/** What is read, without tags and data. */
function wordsOf(page: string): string {
  const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
  return page
    .replace(/<script type="application\/json".*?<\/script>/s, '')
    .replace(/<head>.*?<\/head>/s, '')
    .replace(/<[^>]*>/g, '')
    .replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name] ?? '')
    .replace(/\s+/g, ' ')
}

const firstOf = (page: string): unknown => JSON.parse(/id="first">(.*?)<\/script>/s.exec(page)?.[1] ?? 'null')

describe('latest decisions, in the form of the page', () => {
  const event = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: {
      name: 'e',
      namespace: 'media',
      uid: 'e',
      annotations: {
        'ballast.dev/verdict': JSON.stringify({
          requester: 'deschedule',
          class: 'balance',
          verb: 'evict',
          purpose: 'move',
          target: 'Pod media/sonarr-0',
          decision: 'Denied',
          rule: 'owner',
          reason: 'KedaManaged',
          wayOut: 'nothing to do',
          workload: 'media/Deployment/sonarr',
          data: { owner: 'keda' },
        }),
      },
    },
    eventTime: ago(minute),
    reason: 'KedaManaged',
    note: 'evict Pod media/sonarr-0 for deschedule: denied by owner: owned by KEDA; nothing to do',
    reportingController: 'ballast.dev/arbiter',
    regarding: { kind: 'Deployment', namespace: 'media', name: 'sonarr', uid: 'u' },
  }

  test('what, of whom and why', () => {
    const { permits } = permitPage(pictureOf([...homelab(), permitObject(), event]), {})
    const words = wordsOf(html({ permits }))
    expect(words).toContain('13:53:20● granted · evict monitoring/mimir-querier · plan talos-7f3c of policy talos')
    expect(words).toMatch(/14:02:20✕ denied · evict media\/sonarr · KedaManaged: /)
    expect(html({ permits })).toContain('href="/workload/media/Deployment/sonarr"')
  })

  test('none, and none that may be seen', () => {
    expect(wordsOf(html({ permits: [] }))).toContain('No permits yet.')
    expect(wordsOf(html())).not.toContain('No permits yet.')
  })
})

describe('D30: without a script the page reads', () => {
  const words = wordsOf(html())

  test.each([
    'talos00 has 93% of its CPU requested; the goal is at most 70%. talos03 has 4%; the goal is at least 30%.',
    '23.4 points over',
    '25.9 points short',
    'Nothing is being moved.',
    'talos02-gpu',
    '124 pods',
  ])('%s', text => expect(words).toContain(text))

  // biome-ignore format: a table
  test.each([
    // D4: CPU and memory, requested and used
    ['talos00',     '93%', '57%', '82%', '73%', '59 pods'],
    ['talos01',     '54%', '7%',  '97%', '30%', '45 pods'],
    ['talos02-gpu', '32%', '4%',  '28%', '8%',  '11 pods'],
    ['talos03',     '4%',  '0%',  '16%', '11%', '9 pods'],
  ])('the figures of %s', (node, cpu, cpuUsed, memory, memoryUsed, pods) => {
    const row = new RegExp(`<li class="drawn-node"[^>]*>(?:(?!<li).)*?>${node}</a>.*?</li>`, 's').exec(html())?.[0] ?? ''
    const text = wordsOf(row)
    const usedKnown = overview.nodes.some(({ cpu: { used } }) => used !== null)
    for (const figure of [cpu, memory, pods, ...(usedKnown ? [cpuUsed, memoryUsed] : [])]) expect(text).toContain(figure)
  })

  test('it is asked for again each 30 s, by browsers without a script alone', () =>
    expect(html()).toContain('<noscript><meta http-equiv="refresh" content="30"></noscript>'))

  test('it has its landmarks, one heading of first rank, and the title begins with it', () => {
    const page = html()
    for (const tag of ['header', 'nav', 'main', 'footer', 'h1'])
      expect(page.match(new RegExp(`<${tag}[ >]`, 'g'))).toHaveLength(1)
    expect(page).toContain('<title>Overview · talos-homelab · Ballast</title>')
    expect(/<h1[^>]*>(.*?)<\/h1>/.exec(page)?.[1]).toBe('Overview')
  })

  test('each bar has a name that states its finding', () =>
    expect(html()).toContain('aria-label="talos00: CPU 93 percent requested, goal at most 70"'))
})

describe('what the policy of the page asks for', () => {
  test('no style, no handler and no script in the markup but files and data', () => {
    const page = html()
    expect(page).not.toMatch(/<[^>]*\s(style|on\w+)=/)
    expect(page.match(/<script[^>]*>/g)).toEqual([
      '<script type="module" src="/assets/main-a1.js">',
      '<script type="application/json" id="first">',
    ])
  })

  test('nothing is drawn that it would refuse', async () => {
    const { htmlOf } = await import('./html.ts')
    const drawn = (attributes: Record<string, string>) => ({ tag: 'p', attributes, children: [], key: undefined })
    expect(() => htmlOf(drawn({ style: 'width: 1px' }))).toThrow('style')
    expect(() => htmlOf(drawn({ onclick: 'x()' }))).toThrow('onclick')
  })

  test('it fits into the first 14 KB that a server may send', () => {
    const page = html()
    expect(brotliCompressSync(page).length).toBeLessThan(14 * 1024)
    expect(gzipSync(page).length).toBeLessThan(14 * 1024)
  })

  test('of a large cluster the rows come by the stream', () => {
    const [node] = overview.nodes
    const many = Array.from({ length: 200 }, (_, index): NodeRow => ({ ...(node as NodeRow), name: `worker-${index}` }))
    const page = html({ overview: { ...overview, nodes: many, totals: { ...overview.totals, nodes: 200 } } })
    expect(gzipSync(page).length).toBeLessThan(14 * 1024)
    expect(page).not.toContain('worker-7')
    expect(wordsOf(page)).toContain('Loading 200 nodes…')
  })
})

describe('what a cluster says is text', () => {
  const evil = '<img src=x onerror=alert(1)>"\'&</script><!--\u2028'
  const change: Partial<Overview> = {
    verdict: { level: 'blocked', sentences: [{ code: 'frozen', text: evil, facts: {}, links: [] }] },
    freeze: { since: null, by: evil, reason: evil, scope: null },
    nodes: overview.nodes.map(node => ({ ...node, name: `${node.name}${evil}` })),
    goals: overview.goals.map(goal => ({ ...goal, name: evil })),
    cluster: evil,
  }
  const page = html({ overview: { ...overview, ...change }, picture: { nowMs, mode: 'cluster', cluster: evil, sources: [] } })

  test('no element of it comes into being', () => expect(page).not.toMatch(/<img|<!--/))
  test('the data block holds it whole, and does not end early', () => {
    expect(firstOf(page)).toMatchObject({ cluster: evil })
    expect(page.match(/<\/script>/g)).toHaveLength(2)
  })
  test('links of sentences lead nowhere but to our own pages', () => {
    const links = [
      { text: 'a', path: '//evil.test/' },
      { text: 'b', path: 'javascript:alert(1)' },
    ]
    const sentence = { code: 'x', text: 'a b', facts: {}, links }
    expect(html({ overview: { ...overview, verdict: { level: 'good', sentences: [sentence] } } })).not.toMatch(
      /href="(\/\/evil|javascript:)/,
    )
  })
})

describe('other pages', () => {
  test('the data is the overview that was drawn', () => expect(firstOf(html())).toEqual(JSON.parse(JSON.stringify(overview))))

  test('below a base path every address begins with it', () => {
    const page = html({ basePath: '/ballast/' })
    const addresses = [...page.matchAll(/ (?:href|src)="([^"#][^"]*)"/g)].map(match => match[1] ?? '')
    expect(addresses.filter(address => !address.startsWith('/ballast/') && address !== 'data:,')).toEqual([])
    expect(page).toContain('data-base="/ballast/"')
  })

  test('what is not there says so in a sentence', () => {
    const page = html({ path: '/workload/media/Deployment/sonar', notice: 'No workload media/sonar. Did you mean media/sonarr?' })
    expect(wordsOf(page)).toContain('No workload media/sonar. Did you mean media/sonarr?')
    expect(page).toContain('<title>Workload sonar · talos-homelab · Ballast</title>')
  })

  test.each(['constructor', '__proto__', 'toString'])('an address that names a part of every object is no page: /%s', name =>
    expect(html({ path: `/${name}`, notice: 'There is no such page.' })).toContain('<title>No such page · '),
  )

  test('who must sign in sees nothing of the cluster', () => {
    const page = html({ picture: undefined, overview: undefined, sessionForm: true })
    expect(page).not.toContain('talos')
    expect(page).toContain('<title>Sign in · Ballast</title>')
  })

  test('while the twin is loaded the page says how far it is', () => {
    const loading = { text: 'Loading examples/talos-homelab: 61 of 412 objects' }
    expect(wordsOf(html({ overview: { ...overview, loading } }))).toContain(loading.text)
  })

  test('while the script is built it has its looks and asks again soon', () => {
    const plain = { script: undefined, styles: ['/assets/plain-a1.css'], preload: [] }
    const page = html({ bundle: { state: 'building', problem: undefined, entry: () => plain } })
    expect(page).toContain('<meta http-equiv="refresh" content="2">')
    expect(page).not.toContain('type="module"')
  })

  test('where it could not be built it says so with the first message', () => {
    const problem = { code: 'dashboard-not-built', message: 'main.tsx:3: a word is missing.', remedy: 'mend it' } as const
    const page = html({ bundle: { state: 'failed', problem, entry: () => undefined } })
    expect(wordsOf(page)).toContain(
      'This page reads but does not move. main.tsx:3: a word is missing. Remedy: mend it. dashboard-not-built',
    )
  })
})
