import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../../src/spawn.ts'
import { freePort } from '../e2e/installation.ts'
import { testEnvironment } from './tools.ts'

const FOLDER = join(import.meta.dirname, 'java')

let trust: Promise<Record<string, string>> | null = null

/** What Maven is started with. Where a bundle of certificates is named (a proxy of the company's own), Java is told of it in its own way. */
export function mavenEnvironment(): Promise<Record<string, string>> {
  trust ??= trustOf(process.env['SSL_CERT_FILE'])
  return trust
}

async function trustOf(bundle: string | undefined): Promise<Record<string, string>> {
  if (bundle === undefined) return testEnvironment()
  const folder = mkdtempSync(join(tmpdir(), 'weir-trust-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const store = join(folder, 'trust.p12')
  await runJava([], 'TrustStore.java', [bundle, store])
  const options = [process.env['MAVEN_OPTS'] ?? '', `-Djavax.net.ssl.trustStore=${store}`, '-Djavax.net.ssl.trustStorePassword=changeit']
  return { ...testEnvironment(), MAVEN_OPTS: options.join(' ').trim() }
}

/** The jars of java/pom.xml, fetched by Maven as it is set up on this machine; it keeps them. */
export async function jars(): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-jars-'))
  try {
    const file = join(folder, 'class-path')
    const { code, stdout, stderr } = await runCommand({
      argv: ['mvn', '--quiet', '--batch-mode', '--file', join(FOLDER, 'pom.xml'), 'dependency:build-classpath', `-Dmdep.outputFile=${file}`],
      cwd: folder,
      env: await mavenEnvironment(),
      timeoutMs: 180_000,
    })
    if (code !== 0) throw new Error(`mvn ended with ${code}\n${stdout}\n${stderr}`)
    return readFileSync(file, 'utf8').trim().split(':')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A program in java/, compiled as it is started. */
export async function runJava(classPath: readonly string[], file: string, args: readonly string[]): Promise<void> {
  const argv: readonly [string, ...string[]] = ['java', '-Xmx128m', '-XX:TieredStopAtLevel=1', '-cp', classPath.join(':'), join(FOLDER, file), ...args]
  const { code, stdout, stderr } = await runCommand({ argv, cwd: tmpdir(), env: testEnvironment(), timeoutMs: 60_000 })
  if (code !== 0) throw new Error(`${file} ended with ${code}\n${stdout}\n${stderr}`)
}

export interface Server {
  readonly port: number
  /** What it printed. */
  output(): string
  stop(): Promise<void>
}

/** A Java program that listens until it is stopped. */
export function startJava(argv: readonly string[], port: number, env: Readonly<Record<string, string>> = {}): Server {
  const child = spawn('java', argv, { env: { ...testEnvironment(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const printed: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => printed.push(chunk))
  return { port, output: () => Buffer.concat(printed).toString(), stop: () => stopped(child) }
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

export interface Broker {
  readonly address: string
  start(): Server
  remove(): void
}

/** A Kafka of its own: one node that is broker and controller, formatted and not started yet. It keeps its port and data when it is started again. */
export async function kafkaBroker(allJars: readonly string[]): Promise<Broker> {
  const classPath = allJars.filter((jar) => !jar.includes('zipkin-server')).join(':')
  const folder = mkdtempSync(join(tmpdir(), 'weir-kafka-'))
  const [port, controller] = [await freePort(), await freePort()]
  const properties = join(folder, 'server.properties')
  writeFileSync(
    properties,
    [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.voters=1@127.0.0.1:${controller}`,
      `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
      `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
      'controller.listener.names=CONTROLLER',
      `log.dirs=${join(folder, 'data')}`,
      'num.partitions=2',
      'offsets.topic.num.partitions=1',
      'offsets.topic.replication.factor=1',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'group.initial.rebalance.delay.ms=0',
      'broker.session.timeout.ms=2000',
      'broker.heartbeat.interval.ms=500',
    ].join('\n'),
  )
  const java = ['-Xmx256m', '-Xms64m', '-XX:TieredStopAtLevel=1', '-cp', classPath]
  const format: readonly [string, ...string[]] = [
    'java',
    ...java,
    'kafka.tools.StorageTool',
    'format',
    '--cluster-id',
    'MkU3OEVBNTcwNTJENDM2Qk',
    '--config',
    properties,
  ]
  const { code, stdout, stderr } = await runCommand({ argv: format, cwd: folder, env: testEnvironment(), timeoutMs: 60_000 })
  if (code !== 0) throw new Error(`StorageTool ended with ${code}\n${stdout}\n${stderr}`)
  return {
    address: `127.0.0.1:${port}`,
    start: () => startJava([...java, 'kafka.Kafka', properties], port),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
