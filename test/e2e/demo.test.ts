import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, get } from './installation.ts'
import { leftovers } from './leftovers.ts'

const DEMO = join(import.meta.dirname, '../../scripts/demo.ts')
const UP_WITHIN_MS = 180_000
const GONE_WITHIN_MS = 60_000
const isRoot = process.getuid?.() === 0

test('the demo goes live, promotes a good release by proof, takes a broken one back with the sentence, and Ctrl-C leaves nothing behind', async () => {
  const demo = new Demo()
  try {
    await demo.says(/Ctrl-C stops everything/, UP_WITHIN_MS)
    const home = demo.home()
    const traces = demo.traces(home)
    const [url = ''] = /http:\/\/127\.0\.0\.1:\d+\/(?=\s)/.exec(demo.output) ?? []

    const page = await get(url)
    assert.equal(page.status, 200)
    assert.match(page.body, /<small id="count">/, 'the second commit is what serves')
    const { songs, releases } = JSON.parse((await get(`${url}api/home`)).body) as { songs: unknown[]; releases: Record<string, unknown> }
    assert.ok(songs.length > 0)
    assert.deepEqual([releases['web'], releases['home']], ['v2', 'v1'], 'only the changed service was released')
    const [, api = ''] = /API +(http\S+)/.exec(demo.output) ?? []
    assert.equal((await get(api)).status, 200)
    assert.match(demo.output, /not touched: auth, home, playlists, songs, users, worker/)
    const [good = '', broken = ''] = demo.output.split('Deploy the third commit')
    assert.match(good, /meanwhile: [\d,]+ requests, 0 failed/)
    assert.match(broken, /v3 of playlist rejected/)
    assert.match(broken, /canary [\d,]+ of [\d,]+ errors, expected|new error, \d+ times on the canary/)
    assert.match(broken, /v3 +not served/)

    const found = await leftovers(traces)
    for (const kind of isRoot ? ['process', 'cgroup', 'iptables', 'ip6tables'] : ['process'])
      assert.ok(
        found.some((it) => it.startsWith(`${kind} `)),
        `a ${kind} can be found while it is up`,
      )

    assert.equal(await demo.ends('SIGINT'), 0, demo.output)
    assert.match(demo.output, /nothing is left/)
    await assertGone(home, traces, [url, api])
  } finally {
    await demo.kill()
  }
})

for (const [when, line] of [
  ['while Weir starts', /\$ weir up/],
  ['during a build', /building/],
] as const) {
  test(`SIGTERM ${when} leaves nothing behind`, async () => {
    const demo = new Demo()
    try {
      await demo.says(line, UP_WITHIN_MS)
      await sleep(500) // into the midst of it
      const home = demo.home()
      const traces = demo.traces(home)
      assert.equal(await demo.ends('SIGTERM'), 0, demo.output)
      await assertGone(home, traces, [])
    } finally {
      await demo.kill()
    }
  })
}

async function assertGone(home: string, traces: { readonly home: string; readonly uidBase: number | null }, urls: readonly string[]): Promise<void> {
  assert.deepEqual(await leftovers(traces), [])
  assert.equal(existsSync(dirname(home)), false, 'its folder is gone')
  for (const url of urls) assert.equal(await listens(Number(new URL(url).port)), false, `nobody listens for ${url}`)
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), resolve(true)))
    socket.once('error', () => resolve(false))
  })
}

/** The demo as a person runs it, without a terminal. */
class Demo {
  output = ''
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>

  constructor() {
    this.#child = spawn(process.execPath, [DEMO], { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text))
    this.#ended = new Promise((resolve) => this.#child.once('exit', resolve))
  }

  async says(line: RegExp, withinMs: number): Promise<void> {
    await eventually(
      `${line}`,
      async () => {
        assert.equal(this.#child.exitCode, null, this.output)
        return line.test(this.output)
      },
      withinMs,
    )
  }

  home(): string {
    const [, home = ''] = /everything is kept in (\S+);/.exec(this.output) ?? []
    assert.notEqual(home, '')
    return home
  }

  /** Its accounts are in the environment of what it started. */
  traces(home: string): { readonly home: string; readonly uidBase: number | null } {
    if (!isRoot) return { home, uidBase: null }
    for (const pid of readdirSync('/proc').filter((it) => /^\d+$/.test(it))) {
      try {
        const environ = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
        const base = environ.find((it) => it.startsWith('WEIR_UID_BASE='))
        if (base !== undefined && environ.includes(`WEIR_HOME=${home}`)) return { home, uidBase: Number(base.split('=')[1]) }
      } catch {
        // it ended while we looked
      }
    }
    throw new Error(`no process of ${home}`)
  }

  async ends(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal)
    return await Promise.race([this.#ended, sleep(GONE_WITHIN_MS, null, { ref: false })])
  }

  /** For a test that failed: gently, so that it can clean up. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    await this.ends('SIGTERM')
    this.#child.kill('SIGKILL')
  }
}
