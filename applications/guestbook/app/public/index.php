<?php
declare(strict_types=1);

require __DIR__ . '/../entries.php';
require __DIR__ . '/../page.php';

$settings = json_decode((string) file_get_contents('/etc/app.json'), true, 8, JSON_THROW_ON_ERROR);
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$method = $_SERVER['REQUEST_METHOD'];

header('Content-Type: text/html; charset=utf-8');
header('Cache-Control: no-store');
header("Content-Security-Policy: default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'");
header('X-Content-Type-Options: nosniff');
header('Referrer-Policy: same-origin');
header("X-Served-By: {$settings['instance']}");

try {
    if ($settings['db'] === null) {
        throw new RuntimeException('the terminal db is not wired');
    }
    match (true) {
        $path === '/health' => health($settings),
        $path !== '/' => http_response_code(404) && print('There is nothing here.'),
        $method === 'POST' => write($settings),
        $method === 'GET', $method === 'HEAD' => show($settings),
        default => http_response_code(405) && print('Only GET and POST.'),
    };
} catch (PDOException | RuntimeException $problem) {
    error_log(strtr($problem->getMessage(), "\n", ' '));
    http_response_code(503);
    header('Retry-After: 5');
    echo 'The guest book cannot be read at the moment.';
}

/** Well is who can read: a replica without its database is of no use. */
function health(array $settings): void
{
    new Entries($settings['db']);
    header('Content-Type: text/plain');
    echo "ok\n";
}

function show(array $settings, string $complaint = '', string $name = '', string $message = ''): void
{
    $entries = (new Entries($settings['db']))->latest();
    echo page($settings['title'], $settings['instance'], $entries, $complaint, $name, $message);
}

function write(array $settings): void
{
    $name = field('name');
    $message = field('message');
    $complaint = match (true) {
        isFromElsewhere() => 'The form was sent from another site.',
        $name === null || $message === null => 'Only text can be written down.',
        $name === '' || $message === '' => 'Please give a name and some words.',
        characters($name) > 60 => 'The name may have 60 characters.',
        characters($message) > 1000 => 'The words may have 1000 characters.',
        default => '',
    };
    if ($complaint !== '') {
        http_response_code(422);
        show($settings, $complaint, $name ?? '', $message ?? '');
        return;
    }
    (new Entries($settings['db']))->add((string) $name, (string) $message);
    http_response_code(303);
    header('Location: /');
}

/** Browsers tell where a form stands; a program that sends neither header is nobody's stolen session. */
function isFromElsewhere(): bool
{
    $site = $_SERVER['HTTP_SEC_FETCH_SITE'] ?? 'none';
    $origin = $_SERVER['HTTP_ORIGIN'] ?? null;
    $ours = ["http://{$_SERVER['HTTP_HOST']}", "https://{$_SERVER['HTTP_HOST']}"];
    return !in_array($site, ['none', 'same-origin'], true) || ($origin !== null && !in_array($origin, $ours, true));
}

/** A field of the form without blanks around it; null when it is no UTF-8 text that PostgreSQL can hold. */
function field(string $name): ?string
{
    $value = $_POST[$name] ?? '';
    $isText = is_string($value) && preg_match('//u', $value) === 1 && !str_contains($value, "\0");
    return $isText ? trim($value) : null;
}

/** Counts characters without the mbstring extension. */
function characters(string $text): int
{
    return preg_match_all('/./us', $text);
}
