// From a request to an answer: what is no request of ours is refused, who asks is found out, and the table of routes is asked.
import type { Admission, Viewer } from '../access/viewer.ts'
import { type DashboardConfiguration, hostsOf } from '../configuration.ts'
import { type Answer, answerOf, empty, htmlType, redirect, refusal, textType, type WholeAnswer } from './answer.ts'
import { apiRoutes } from './api-routes.ts'
import { type Asked, longestQuery, longestTarget, type ReadTarget } from './asked.ts'
import { assetAnswer } from './asset-route.ts'
import { isJson } from './body.ts'
import { exportRoutes } from './export-routes.ts'
import { Idempotency } from './idempotency.ts'
import { pictureOf } from './moments.ts'
import { foreignOrigin, isCrossSite, isLinkedFromElsewhere, isOurHost } from './origins.ts'
import { canRender, noPicture, pageAnswer, signInPage, wantsText } from './page-route.ts'
import { readQuery } from './query.ts'
import { RateLimit } from './rate-limit.ts'
import { rebalancingRoutes } from './rebalancing-routes.ts'
import { matched, type Route } from './route.ts'
import type { Services } from './services.ts'
import { streamRoutes } from './stream-route.ts'
import { sessionRoutes, signIn, writeRoutes } from './write-routes.ts'

const readMethods = ['GET', 'HEAD']
/** For each probe it is looked whether the page can be made, but not more often. */
const probeLifeMs = 1_000

export interface Gated {
  readonly answer: Answer
  /** For metrics: the pattern, never a name. */
  readonly route: string
}

export class Gate {
  readonly #services: Services
  readonly #routes: readonly Route[]
  readonly #rates: RateLimit
  readonly #hosts: readonly string[]
  #probe: { readonly isFine: boolean; readonly atMs: number } | undefined

  constructor(services: Services) {
    const { configuration, clock, actions } = services
    this.#services = services
    this.#hosts = hostsOf(configuration)
    this.#rates = new RateLimit(clock)
    const writing = actions === undefined ? [] : writeRoutes(new Idempotency(clock))
    this.#routes = [...apiRoutes, ...rebalancingRoutes, ...exportRoutes, ...streamRoutes, ...writing, ...sessionRoutes]
  }

  /** What a request is answered. `target` is what `readTarget` found in its address. */
  async answer(asked: Omit<Asked, keyof (ReadTarget & { kind: 'target' })['target']>, target: ReadTarget): Promise<Gated> {
    if (target.kind === 'target' && target.target.segments[0] === 'healthz' && target.target.segments.length === 1)
      return { route: '/healthz', answer: this.#health(asked.method) }
    const { host } = asked.headers
    const isAction = target.kind === 'target' && target.target.segments.slice(0, 3).join('/') === 'api/v1/actions'
    const action = target.kind === 'target' ? target.target.segments.slice(3).join('/') : ''
    if (!isOurHost(host, this.#hosts)) {
      if (isAction && asked.method === 'POST') this.#services.metrics?.action(action, 'foreign-host')
      return { route: 'refused', answer: foreignHost }
    }
    switch (target.kind) {
      case 'too-long':
        return { route: 'refused', answer: tooLong(target.what) }
      case 'bad':
        return { route: 'refused', answer: refusal('bad-address', { status: 400, message: `The request has ${target.found}.` }) }
      case 'slash-missing': {
        const { basePath } = this.#services.configuration
        return { route: 'refused', answer: redirect(308, `${basePath}${target.query === '' ? '' : `?${target.query}`}`) }
      }
      case 'elsewhere':
        return { route: 'refused', answer: nothingHere(`Everything lies below ${this.#services.configuration.basePath}.`) }
      case 'target':
        return this.#routed({ ...asked, ...target.target })
    }
  }

  #routed(asked: Asked): Gated | Promise<Gated> {
    const [head] = asked.segments
    if (head === 'api') return this.#api(asked)
    if (asked.method === 'OPTIONS') return { route: 'page', answer: allowing(readMethods) }
    const route = head === 'assets' ? '/assets/*' : 'page'
    if (!readMethods.includes(asked.method)) return { route, answer: wrongMethod(asked.method, readMethods) }
    if (head === 'assets') return { route, answer: assetAnswer(this.#services.bundle, asked) }
    return this.#page(asked)
  }

  async #page(asked: Asked): Promise<Gated> {
    const services = this.#services
    const route = 'page'
    const admission = await services.door.admit(asked)
    if (admission.kind === 'answer') return { route, answer: admission.answer }
    const late = this.#tooMany(asked, admission)
    if (late !== undefined) return { route, answer: late }
    if (admission.kind === 'viewer') return { route, answer: await pageAnswer({ services, asked }, admission.viewer) }
    // Browsers keep our cookie back when a link of another site is followed: the page that asks for itself gets it.
    if (isLinkedFromElsewhere(asked.headers)) return { route, answer: onceMore }
    if (wantsText(asked) || !admission.canSignIn) return { route, answer: noPicture({ services, asked }, admission.refusal) }
    return { route, answer: signInPage({ services, asked }) }
  }

  async #api(asked: Asked): Promise<Gated> {
    const services = this.#services
    const isSignIn = asked.method === 'POST' && asked.path === '/api/v1/session'
    const match = matched(this.#routes, asked.method, asked.segments)
    const route = isSignIn ? '/api/v1/session' : match.kind === 'none' ? 'refused' : patternOf(match)
    const refused = (answer: WholeAnswer): Gated => {
      if (route === '/api/v1/actions/{action*}' && asked.method === 'POST')
        services.metrics?.action(asked.segments.slice(3).join('/'), answer.code ?? 'refused')
      return { route, answer }
    }
    const isWrite = !readMethods.includes(asked.method) && asked.method !== 'OPTIONS'
    const foreign = this.#foreign(asked, isWrite)
    if (foreign !== undefined) return refused(foreign)
    if (!isSignIn && match.kind === 'none')
      return { route, answer: asked.segments[2] === 'actions' && services.actions === undefined ? actionsOff : nothingHere(null) }
    const methods = match.kind === 'other-methods' ? match.methods : match.kind === 'route' ? [match.route.method] : []
    if (asked.method === 'OPTIONS') return { route, answer: allowing(isSignIn ? ['POST', 'DELETE'] : methods) }
    if (!isSignIn && match.kind !== 'route') return { route, answer: wrongMethod(asked.method, methods) }
    if (isSignIn) {
      const late = this.#tooMany(asked, undefined)
      return { route, answer: late ?? (await signIn({ services, asked })) }
    }
    const admission = await services.door.admit(asked)
    if (admission.kind === 'answer') return { route, answer: admission.answer }
    const late = this.#tooMany(asked, admission)
    if (late !== undefined) return refused(late)
    if (admission.kind === 'refused') return refused(admission.refusal)
    return match.kind === 'route'
      ? { route, answer: await this.#called(asked, match, admission.viewer) }
      : refused(nothingHere(null))
  }

  async #called(asked: Asked, { route, params }: { route: Route; params: Readonly<Record<string, string>> }, viewer: Viewer) {
    const services = this.#services
    // The key that is demanded is in the address.
    const given = new URLSearchParams(asked.query)
    given.delete('key')
    const read = readQuery(route.schema, given)
    if (!read.ok) return read.answer
    const moment = pictureOf(services.source.current(), route.method === 'GET' ? given.get('at') : undefined)
    if (!moment.ok) return moment.answer
    return route.answer({ services, asked, viewer, picture: moment.picture, params, query: read.query })
  }

  #foreign({ headers, message }: Asked, isWrite: boolean): WholeAnswer | undefined {
    if (isWrite && headers['ballast-action'] !== '1') return noAction
    if (isWrite && message.method !== 'DELETE' && !isJson(headers['content-type'])) return noJson
    const { configuration } = this.#services
    const own = {
      isSecure: isSecure(configuration),
      allowedHosts: this.#hosts,
      isBehindProxy: configuration.auth.mode === 'proxy',
    }
    const origin = isWrite ? foreignOrigin(headers, own) : undefined
    if (origin !== undefined) return otherOrigin(`It has ${origin}.`)
    return isCrossSite(headers, isWrite) ? otherOrigin("It comes from another site's page.") : undefined
  }

  /** Those who are nobody yet are told apart by where they are. */
  #tooMany({ peer }: Asked, admission: Admission | undefined): WholeAnswer | undefined {
    const name = admission?.kind === 'viewer' ? `viewer ${admission.viewer.id}` : `peer ${peer}`
    return this.#rates.take(name) ? undefined : tooMany
  }

  #health(method: string): WholeAnswer {
    if (method === 'OPTIONS') return allowing(readMethods)
    if (!readMethods.includes(method)) return wrongMethod(method, readMethods)
    const nowMs = this.#services.clock.elapsed()
    if (this.#probe === undefined || nowMs - this.#probe.atMs >= probeLifeMs)
      this.#probe = { isFine: this.#canRender(), atMs: nowMs }
    return this.#probe.isFine ? answerOf(textType, 'ok') : answerOf(textType, 'the page cannot be made\n', { status: 503 })
  }

  #canRender(): boolean {
    try {
      return canRender(this.#services)
    } catch (error) {
      this.#services.log.error({ err: error }, 'the page cannot be made')
      return false
    }
  }
}

function patternOf(match: Exclude<ReturnType<typeof matched>, { readonly kind: 'none' }>): string {
  return match.kind === 'route' ? match.route.pattern : match.pattern
}

/** Whether what we serve is reached by https. */
export function isSecure({ tls, auth }: DashboardConfiguration): boolean {
  return tls !== undefined || (auth.mode === 'proxy' && auth.proxy?.caFile !== undefined)
}

function allowing(methods: readonly string[]): WholeAnswer {
  return empty(204, { allow: allowed(methods) })
}

function wrongMethod(method: string, methods: readonly string[]): WholeAnswer {
  return refusal('wrong-method', {
    status: 405,
    message: `${method.slice(0, 20)} is not answered here.`,
    remedy: `Methods are ${allowed(methods)}.`,
    headers: { allow: allowed(methods) },
  })
}

function allowed(methods: readonly string[]): string {
  return [...new Set([...methods.flatMap(method => (method === 'GET' ? readMethods : [method])), 'OPTIONS'])].join(', ')
}

function nothingHere(remedy: string | null): WholeAnswer {
  return refusal('no-such-address', { status: 404, message: 'There is nothing at this address.', remedy })
}

function tooLong(what: 'address' | 'query'): WholeAnswer {
  return refusal('address-too-long', {
    status: 400,
    message: `The ${what} is longer than ${what === 'query' ? longestQuery : longestTarget} characters.`,
  })
}

function otherOrigin(message: string): WholeAnswer {
  return refusal('foreign-origin', {
    status: 403,
    message: `This request is not from the dashboard's own page. ${message}`,
    remedy: 'Send Origin as the address of the dashboard.',
  })
}

const foreignHost = refusal('foreign-host', {
  status: 421,
  message: 'This dashboard does not go by that name.',
  remedy: 'Add the name to dashboard.allowedHosts.',
})

const noAction = refusal('action-header-missing', {
  status: 403,
  message: 'A write needs the header Ballast-Action: 1.',
  remedy: 'A page of another site cannot send it.',
})

const noJson = refusal('not-json', {
  status: 415,
  message: 'A write needs the header Content-Type: application/json.',
  remedy: 'A form cannot send it.',
})

const actionsOff = refusal('actions-off', {
  status: 404,
  message: 'This dashboard only reads.',
  remedy: 'Set dashboard.actions, or use kubectl.',
})

const tooMany = refusal('too-many-requests', {
  status: 429,
  message: 'More than 20 requests a second.',
  remedy: 'Ask again in a second.',
  headers: { 'retry-after': '1' },
})

const onceMore = answerOf(
  htmlType,
  '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>Ballast</title></head><body><p>One moment.</p></body></html>',
)
