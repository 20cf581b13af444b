// Lives of objects, drawn by a seed: an object with a change or two is made, changed in one of the ways there are, read, and deleted.
import type { Random } from '#kube/random.ts'
import { patchTypes, protobufType } from '../bad-input/requests.ts'
import { pageAsks, protobufRead, scaleAsk, subresourceAsk, watchAsk } from './asks.ts'
import { bases, rivals } from './bases.ts'
import type { DifferentialRequest, Life } from './request.ts'
import type { ServedKind } from './served.ts'
import { type Change, changed, fieldPaths, interesting, patchOf, typeAt } from './values.ts'

type Body = Readonly<Record<string, unknown>>

/** An endless row of lives of a kind. Every field of it comes before one comes again. */
export function* livesOf(served: ServedKind, random: Random): Generator<Life, never> {
  // Questions have no metadata.
  const paths = fieldPaths(served.type).filter(([first]) => first !== 'metadata' || served.verbs.includes('get'))
  const isStatus = (path: readonly string[]) => path[0] === 'status'
  const rows = {
    fields: new Row(
      paths.filter(path => !isStatus(path)),
      random,
    ),
    status: new Row(paths.filter(isStatus), random),
  }
  for (;;) yield new Drawing(served, random, rows).life()
}

/** Items in an order that is drawn anew each time all of them were had. */
class Row<Item> {
  readonly #items: readonly Item[]
  readonly #random: Random
  #left: Item[] = []

  constructor(items: readonly Item[], random: Random) {
    this.#items = items
    this.#random = random
  }

  next(): Item | undefined {
    if (this.#left.length === 0) {
      this.#left = this.#items
        .map(item => ({ item, at: this.#random() }))
        .toSorted((one, other) => one.at - other.at)
        .map(({ item }) => item)
    }
    return this.#left.pop()
  }
}

interface Rows {
  readonly fields: Row<readonly string[]>
  readonly status: Row<readonly string[]>
}

const jsonType = 'application/json'
const second = { name: '{{name}}-b', labels: { life: '{{n}}' } }
const tables = 'application/json;as=Table;v=v1;g=meta.k8s.io'
const metadataOnly = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'

/** Kinds whose status is the server's own, which writes it when it likes: nobody can say which version is the last. */
const writtenByServers: ReadonlySet<string> = new Set([
  'APIService.apiregistration.k8s.io',
  'CustomResourceDefinition.apiextensions.k8s.io',
])

class Drawing {
  readonly #served: ServedKind
  readonly #random: Random
  readonly #rows: Rows
  readonly #requests: DifferentialRequest[] = []
  readonly #collection: string
  readonly #object: string
  readonly #base: Body

  constructor(served: ServedKind, random: Random, rows: Rows) {
    this.#served = served
    this.#random = random
    this.#rows = rows
    const root = served.apiVersion === 'v1' ? '/api/v1' : `/apis/${served.apiVersion}`
    this.#collection = `${root}${served.isNamespaced ? '/namespaces/{{namespace}}' : ''}/${served.plural}`
    this.#object = `${this.#collection}/{{name}}`
    this.#base = {
      apiVersion: served.apiVersion,
      kind: served.kind,
      // Questions have no names.
      ...(served.verbs.includes('get') ? { metadata: { name: '{{name}}', labels: { life: '{{n}}' } } } : {}),
      ...bases[served.name]?.object,
    }
  }

  life(): Life {
    const { name, apiVersion, plural, verbs } = this.#served
    this.#make()
    if (verbs.includes('update')) {
      this.#change()
      if (this.#random() < 0.5) this.#change()
      this.#read()
      this.#remove()
    }
    return {
      kind: `${name}/${apiVersion.split('/').at(-1)}`,
      name: bases[name]?.name ?? 'd-{{n}}',
      namespace: `d-${plural}`,
      requests: this.#requests,
    }
  }

  #make(): void {
    const first = this.#drawn(this.#rows.fields)
    const object = this.#with(first, this.#random() < 0.3 ? this.#drawn(this.#rows.fields) : undefined)
    if (this.#random() < 0.1) this.#send('POST', `${this.#collection}?dryRun=All&fieldManager=one`, this.#encoding(), object)
    const query = this.#pick(['', '?fieldManager=one', '?fieldManager=one&fieldValidation=Strict'])
    this.#send('POST', `${this.#collection}${query}`, this.#encoding(), object)
    if (this.#served.verbs.includes('update'))
      this.#requests.push({ verb: 'POST', path: this.#collection, contentType: jsonType, body: this.#base, afterRefusal: true })
  }

  #change(): void {
    const { name, subresources } = this.#served
    const draw = this.#random()
    if (subresources.includes('status') && !writtenByServers.has(name) && draw < 0.25) this.#changeStatus()
    else if (subresources.includes('scale') && draw < 0.35) this.#changeScale()
    else if (draw < 0.5 && this.#asked(subresourceAsk(this.#served, this.#object, this.#random))) return
    else this.#changeObject(this.#drawn(this.#rows.fields))
  }

  #changeObject(change: Change): void {
    const dry = this.#random() < 0.1 ? '&dryRun=All' : ''
    const pointer = `/${change.path.join('/')}`
    switch (this.#pick(['put', 'put', 'merge', 'strategic', 'json', 'apply', 'apply'] as const)) {
      case 'put':
        this.#send('PUT', `${this.#object}?fieldManager=two${dry}`, this.#encoding(), this.#versioned(this.#with(change)))
        return
      case 'merge':
        this.#send('PATCH', `${this.#object}?fieldManager=two${dry}`, patchTypes.merge, patchOf(change.path, change.value))
        return
      case 'strategic':
        this.#send('PATCH', `${this.#object}?fieldManager=two${dry}`, patchTypes.strategic, this.#partial(change))
        return
      case 'json': {
        const operation =
          change.value === undefined ? { op: 'remove', path: pointer } : { op: 'add', path: pointer, value: change.value }
        this.#send('PATCH', `${this.#object}?fieldManager=two${dry}`, patchTypes.json, [operation])
        return
      }
      case 'apply':
        this.#send('PATCH', `${this.#object}?fieldManager=three${dry}`, patchTypes.apply, this.#applied(change))
        this.#send(
          'PATCH',
          `${this.#object}?fieldManager=four`,
          patchTypes.apply,
          this.#applied(this.#drawn(this.#rows.fields, change.path)),
        )
        if (this.#random() < 0.5)
          this.#send(
            'PATCH',
            `${this.#object}?fieldManager=four&force=true`,
            patchTypes.apply,
            this.#applied(this.#drawn(this.#rows.fields, change.path)),
          )
    }
  }

  #changeStatus(): void {
    const change = this.#drawn(this.#rows.status)
    const path = `${this.#object}/status?fieldManager=status`
    if (this.#random() < 0.5) this.#send('PUT', path, this.#encoding(), this.#versioned(this.#with(change)))
    else if (this.#random() < 0.6)
      this.#send('PATCH', path, this.#pick([patchTypes.merge, patchTypes.strategic]), this.#partial(change))
    else this.#send('PATCH', path, patchTypes.apply, { ...this.#applied(change), spec: undefined })
  }

  #asked(request: DifferentialRequest | undefined): boolean {
    if (request !== undefined) this.#requests.push(request)
    return request !== undefined
  }

  #changeScale(): void {
    if (this.#random() < 0.3) {
      this.#requests.push(scaleAsk(this.#object, this.#random))
      return
    }
    const path = `${this.#object}/scale`
    this.#send('GET', path)
    const replicas = this.#pick([0, 1, 3, -1, 2147483647, undefined])
    const scale = {
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name: '{{name}}', namespace: '{{namespace}}' },
      spec: { replicas },
    }
    if (this.#random() < 0.5) this.#send('PUT', path, jsonType, scale)
    else this.#send('PATCH', path, this.#pick([patchTypes.merge, patchTypes.strategic]), { spec: { replicas } })
  }

  #read(): void {
    const life = 'labelSelector=life%3D{{n}}'
    const draw = this.#random()
    if (draw < 0.2) this.#send('GET', this.#object)
    else if (draw < 0.3) this.#send('GET', this.#object, undefined, undefined, tables)
    else if (draw < 0.35) this.#send('GET', this.#object, undefined, undefined, metadataOnly)
    else if (draw < 0.5) this.#send('GET', `${this.#collection}?${life}`)
    else if (draw < 0.6)
      this.#send('GET', `${this.#collection}?${life}&resourceVersion={{version}}&resourceVersionMatch=NotOlderThan`)
    else if (draw < 0.7) this.#send('GET', `${this.#collection}?${life},app+in+(a,b),!nothing&limit=1`)
    else if (draw < 0.8) this.#send('GET', `${this.#collection}?fieldSelector=metadata.name%3D{{name}}`)
    else if (draw < 0.85) this.#send('GET', `${this.#collection}?${life}&fieldSelector=spec.none%3Da`)
    else if (draw < 0.88 && this.#served.verbs.includes('watch'))
      this.#send('GET', `${this.#collection}?watch=true&timeoutSeconds=1&resourceVersion={{first}}&${life}`)
    else if (draw < 0.9 && this.#served.verbs.includes('watch')) this.#requests.push(watchAsk(this.#collection, this.#random))
    else if (draw < 0.95) this.#requests.push(protobufRead(this.#object))
    // A second object needs a name of its own.
    else if (bases[this.#served.name]?.name === undefined && this.#served.verbs.includes('deletecollection'))
      this.#requests.push(...pageAsks(this.#collection, { ...this.#base, metadata: second }, this.#random))
  }

  #remove(): void {
    const draw = this.#random()
    const options = { apiVersion: 'v1', kind: 'DeleteOptions' }
    if (draw < 0.1) this.#send('DELETE', `${this.#object}?dryRun=All`)
    if (draw > 0.9) this.#send('DELETE', this.#object, jsonType, { ...options, preconditions: { resourceVersion: '1' } })
    const choice = this.#pick([
      undefined,
      undefined,
      { ...options, propagationPolicy: this.#pick(['Background', 'Foreground', 'Orphan']) },
      { ...options, gracePeriodSeconds: this.#pick([0, 1, 30, -1]) },
      {
        ...options,
        preconditions: { uid: '{{uid}}', ...(writtenByServers.has(this.#served.name) ? {} : { resourceVersion: '{{version}}' }) },
      },
      { ...options, orphanDependents: true },
    ])
    if (choice === undefined) this.#send('DELETE', this.#object)
    else this.#send('DELETE', this.#object, this.#encoding(), choice)
    this.#send('GET', this.#object)
  }

  #drawn(row: Row<readonly string[]>, again?: readonly string[]): Change {
    const path = again ?? row.next() ?? ['metadata', 'labels', 'k']
    const values = interesting(typeAt(this.#served.type, path), path)
    // A value of another type now and then: bad input has those.
    return { path, value: this.#random() < 0.02 ? this.#pick([7, 'x', true, [], { x: 1 }]) : this.#pick(values) }
  }

  #with(...changes: readonly (Change | undefined)[]): Body {
    return changes.reduce((object: Body, change) => (change === undefined ? object : this.#changed(object, change)), this.#base)
  }

  #changed(object: Body, change: Change): Body {
    const others = (rivals[this.#served.name] ?? []).flatMap(([holder, names]) => {
      const own = names.find(name => `${change.path.join('.')}.`.startsWith(`${holder}.${name}.`))
      return own === undefined ? [] : names.filter(name => name !== own).map(name => [...holder.split('.'), name])
    })
    const without = others.reduce((rest: Body, path) => changed(this.#served.type, rest, { path, value: undefined }), object)
    return changed(this.#served.type, without, change)
  }

  /** Only what leads to the change, with what its parents require. */
  #partial(change: Change): Body {
    return changed(this.#served.type, {}, { path: change.path, value: change.value ?? null })
  }

  #applied(change: Change): Body {
    const { apiVersion, kind } = this.#served
    return {
      ...this.#partial(change),
      apiVersion,
      kind,
      metadata: { ...this.#metadataOf(this.#partial(change)), name: '{{name}}' },
    }
  }

  #versioned(object: Body): Body {
    if (this.#random() < 0.3 || writtenByServers.has(this.#served.name)) return object
    return { ...object, metadata: { ...this.#metadataOf(object), resourceVersion: '{{version}}' } }
  }

  #metadataOf(object: Body): Body {
    const { metadata } = object
    return typeof metadata === 'object' && metadata !== null ? { ...metadata } : {}
  }

  #encoding(): string {
    return this.#random() < 0.4 ? protobufType : jsonType
  }

  #pick<Item>(items: readonly [Item, ...Item[]] | readonly Item[]): Item {
    const item = items[Math.floor(this.#random() * items.length)]
    if (item === undefined && !items.includes(undefined as Item)) throw new Error('nothing to pick from')
    return item as Item
  }

  #send(verb: DifferentialRequest['verb'], path: string, contentType?: string, body?: unknown, accept?: string): void {
    this.#requests.push({
      verb,
      path,
      ...(contentType === undefined ? {} : { contentType }),
      ...(accept === undefined ? {} : { accept }),
      ...(body === undefined ? {} : { body }),
    })
  }
}
