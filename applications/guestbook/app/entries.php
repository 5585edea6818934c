<?php
declare(strict_types=1);

/** The entries of the guest book, in the database that the wire `db` leads to. */
final class Entries
{
    /** Any number will do, as long as all replicas take the same. */
    private const TABLE_LOCK = 7_031_001;

    private readonly PDO $database;

    /** @param array{host: string, port: int, name: string, user: string, password: string} $settings */
    public function __construct(array $settings)
    {
        $this->database = new PDO(
            "pgsql:host={$settings['host']};port={$settings['port']};dbname={$settings['name']};connect_timeout=3",
            $settings['user'],
            $settings['password'],
            [
                PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
                PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
                PDO::ATTR_EMULATE_PREPARES => false,
                // Proving the password costs both sides more than most requests.
                PDO::ATTR_PERSISTENT => true,
            ],
        );
        $this->makeTable();
    }

    /** @return list<array{name: string, message: string, written: string}> newest first, at most 50 */
    public function latest(): array
    {
        return $this->database
            ->query("SELECT name, message, to_char(written AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS written
                     FROM entries ORDER BY id DESC LIMIT 50")
            ->fetchAll();
    }

    public function add(string $name, string $message): void
    {
        $this->database
            ->prepare('INSERT INTO entries (name, message) VALUES (?, ?)')
            ->execute([$name, $message]);
    }

    /** Makes the table when it is not there; replicas that come at the same time wait for each other. */
    private function makeTable(): void
    {
        if ($this->database->query("SELECT to_regclass('entries') IS NOT NULL")->fetchColumn()) {
            return;
        }
        $this->database->beginTransaction();
        $this->database->exec('SELECT pg_advisory_xact_lock(' . self::TABLE_LOCK . ')');
        $this->database->exec(
            'CREATE TABLE IF NOT EXISTS entries (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                name text NOT NULL,
                message text NOT NULL,
                written timestamptz NOT NULL DEFAULT now()
            )',
        );
        $this->database->commit();
    }
}
