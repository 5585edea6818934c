<?php
// The appliance hands over its settings in /etc/app.json.
$settings = json_decode(file_get_contents('/etc/app.json'), true, flags: JSON_THROW_ON_ERROR);
$title = htmlspecialchars($settings['title']);
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title><?= $title ?></title>
<h1><?= $title ?></h1>
<p>Served by <?= htmlspecialchars($settings['instance']) ?>.</p>
