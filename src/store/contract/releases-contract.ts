import assert from 'node:assert/strict'
import { isWeirError } from '../../errors.ts'
import type { EnvironmentRef } from '../queries.ts'
import { ARTIFACT, type Contract, changes, event, graphOf, leader, must, ready, SHOP, UPLOAD } from './testing.ts'

/** A release on its way from queued to ready, and whose routes it claims. */
export function releasesContract(contract: Contract): void {
  contract('a release is queued, built, ready: then it is immutable and has its deploy command', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    const first = await fixture.createRelease(SHOP, UPLOAD, 'supersede')
    const second = await fixture.createRelease(SHOP, { kind: 'release', number: 1 }, 'wait')
    assert.deepEqual(
      [first, second],
      [
        { environment: id, number: 1 },
        { environment: id, number: 2 },
      ],
    )
    assert.deepEqual(await journal.unfinishedReleases(), [first, second])
    assert.equal((await journal.loadRelease(second))?.previous, null, 'not ready yet')
    assert.deepEqual(must(await journal.loadRelease(first)).source, UPLOAD)

    await journal.commitRelease(epoch, first, { status: 'building', graph: graphOf(), notes: ['one'], events: [event('release.building')] })
    assert.equal(must(await journal.loadRelease(first)).status, 'building')
    await journal.commitRelease(epoch, first, {
      status: 'ready',
      artifacts: { web: ARTIFACT },
      fingerprints: { web: 'f1' },
      notes: ['two'],
      events: [event('release.ready')],
    })
    assert.deepEqual(await journal.unfinishedReleases(), [second])
    const ready = must(await journal.loadRelease(first))
    assert.deepEqual(
      { status: ready.status, graph: ready.graph, artifacts: ready.artifacts },
      { status: 'ready', graph: graphOf(), artifacts: { web: ARTIFACT } },
    )
    assert.deepEqual(must(await journal.loadRelease(second)).previous?.artifacts, { web: ARTIFACT })

    const record = must(await journal.loadEnvironment(id))
    assert.deepEqual(
      record.commands.map((stored) => stored.command),
      [{ kind: 'deploy', release: 1, whenBusy: 'supersede' }],
    )
    assert.deepEqual(record.releases[1]?.fingerprints, { web: 'f1' })
    assert.deepEqual([record.releases[1]?.origins, record.releases[1]?.promoted], [null, false])
    for (const status of ['failed', 'building', 'ready'] as const) {
      await assert.rejects(journal.commitRelease(epoch, first, { status, events: [event('late')] }), (error: unknown) => isWeirError(error, 'E_CONFLICT'))
    }
    assert.equal(must(await journal.loadEnvironment(id)).commands.length, 1)

    const trouble = { code: 'E_UNAVAILABLE', text: 'away', lines: [], since: 12 }
    await journal.commitRelease(epoch, second, { status: 'building', because: trouble, events: [] })
    assert.deepEqual(must(await journal.loadRelease(second)).trouble, trouble)
    await journal.commitRelease(epoch, second, { status: 'building', events: [] })
    assert.equal(must(await journal.loadRelease(second)).trouble, null)

    await journal.commitRelease(epoch, second, { status: 'failed', because: { code: 'E_BUILD_FAILED', text: 'exit 1', lines: ['x'] }, events: [] })
    assert.equal(must(await journal.loadRelease(second)).status, 'failed')
    assert.equal(must(await journal.loadEnvironment(id)).commands.length, 1, 'nothing is deployed')
    const told = (await fixture.events(SHOP.tenant)).filter((kind) => kind !== 'release.created')
    assert.deepEqual(told, ['release.building', 'release.ready'])
    await assert.rejects(journal.commitRelease(epoch, { environment: id, number: 77 }, { status: 'failed', events: [] }), (error: unknown) =>
      isWeirError(error, 'E_NOT_FOUND'),
    )
  })

  contract('a route belongs to one environment, a host to one tenant, and a conflict names nobody', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const blog = { ...SHOP, app: 'blog' }
    const other = { ...SHOP, tenant: 'globex', app: 'secret-name' }
    for (const ref of [SHOP, blog, other]) await fixture.ensureEnvironment(ref)
    const claim = async (ref: EnvironmentRef, host: string | null, path: string) => {
      const key = await fixture.createRelease(ref, UPLOAD, 'wait')
      await journal.commitRelease(epoch, key, {
        status: 'ready',
        graph: graphOf([{ host, path, port: 'http' }]),
        artifacts: {},
        fingerprints: {},
        events: [event('claimed')],
      })
    }
    const conflict = (error: unknown) => isWeirError(error, 'E_CONFLICT') && !/globex|secret-name|acme|shop\//.test(JSON.stringify(error.explanation))
    await claim(SHOP, 'shop.example.com', '/')
    await claim(SHOP, 'shop.example.com', '/')
    await claim(blog, 'shop.example.com', '/blog')
    await claim(SHOP, '*.apps.example.com', '/')
    await claim(SHOP, null, '/anything')
    await assert.rejects(claim(blog, 'shop.example.com', '/'), conflict)
    await assert.rejects(claim(other, 'shop.example.com', '/'), conflict)
    await assert.rejects(claim(other, 'shop.example.com', '/mine'), conflict)
    await assert.rejects(claim(other, 'evil.apps.example.com', '/'), conflict)
    await assert.rejects(claim(other, '*.example.com', '/'), conflict)
    await assert.rejects(claim(other, null, '/anything'), conflict)
    await claim(other, 'a.b.apps.example.com', '/')
    await claim(other, null, '/')
    assert.equal((await fixture.events(other.tenant)).filter((kind) => kind === 'claimed').length, 2)
    const [refused] = await journal.unfinishedReleases()
    assert.equal((await journal.loadRelease(must(refused)))?.status, 'queued', 'a refused claim leaves the release as it was')
  })

  contract('a release made from one of another environment gets that one, and retention keeps it until then', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const staging = { ...SHOP, environment: 'staging' }
    for (const ref of [SHOP, staging]) await fixture.ensureEnvironment(ref)
    for (const _ of [1, 2, 3]) await ready(fixture, journal, epoch)
    await journal.commitEnvironment(epoch, await fixture.ensureEnvironment(SHOP), {
      ...changes({ current: 3 }),
      consumed: must(await journal.loadEnvironment(await fixture.ensureEnvironment(SHOP))).commands.map((stored) => ({
        id: stored.id,
        refused: null,
        rollout: null,
      })),
    })
    const key = await fixture.createRelease(staging, { kind: 'release', number: 1, environment: SHOP.environment }, 'wait')
    const nowhere = await fixture.createRelease(staging, { kind: 'release', number: 1 }, 'wait')
    await journal.collect(epoch, { releases: 1, eventsMs: 3_600_000, countersMs: 3_600_000, evidence: 2 })
    assert.deepEqual(must(await journal.loadRelease(key)).previous?.artifacts, { web: ARTIFACT })
    assert.equal(must(await journal.loadRelease(nowhere)).previous, null)
    await journal.commitRelease(epoch, key, { status: 'failed', events: [] })
    const { slugs } = await journal.collect(epoch, { releases: 1, eventsMs: 3_600_000, countersMs: 3_600_000, evidence: 2 })
    assert.equal(slugs.size, 1)
    assert.equal(await journal.loadRelease({ environment: await fixture.ensureEnvironment(SHOP), number: 1 }), null)
  })
}
