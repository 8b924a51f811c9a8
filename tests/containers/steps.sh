# What `make containers` does, step by step; .ci/containers sets it up.

images >"$scratch/images"
for image in $(cat "$scratch/images"); do docker image inspect "$image" >/dev/null 2>&1 || [ "$image" = "$name" ] || echo "$image"; done \
    >"$scratch/new-images"

configuration_is_clean() {
    compose --profile '*' config --quiet 2>"$scratch/warnings"
    [ ! -s "$scratch/warnings" ] || { cat "$scratch/warnings"; fail "docker compose config warns"; }
    say "docker compose config has nothing to say"
}

starts() {
    docker image ls -q --filter dangling=true | sort >"$scratch/untagged"
    quietly compose up --wait --wait-timeout 300
    docker image ls -q --filter dangling=true | sort | diff "$scratch/untagged" - || fail "the build left images without a name"
    say "up --wait on a fresh volume: 0"
    curl -fsS "$url/readyz" >/dev/null || fail "/readyz right after up --wait"
    say "/readyz: every part answers"
}

a_value_with_a_dollar_is_refused() {
    cp "$scratch/env" "$scratch/kept"
    # shellcheck disable=SC2016
    echo 'METRICS_TOKEN=ab$cd' >>"$scratch/env"
    ! compose run --rm --no-deps check >"$scratch/output" 2>&1 || fail "a \$ outside single quotes is accepted"
    grep -q 'line 7: docker compose takes the \$ in METRICS_TOKEN' "$scratch/output" || { cat "$scratch/output"; fail "no clear message"; }
    ! grep -q 'ab\$cd' "$scratch/output" || fail "the message holds the value"
    mv "$scratch/kept" "$scratch/env"
    say "a value that Compose would change is refused, with its line"
}

mail_has() { compose logs --no-log-prefix --no-color mail | grep -q "To: $1"; }
registers() { # E-MAIL
    post /api/v1/users application/json "{\"email\":\"$1\",\"name\":\"Ada\",\"password\":\"correct horse battery\"}" \
        >"$scratch/user"
    within 30 "mail to $1" mail_has "$1"
    say "register: 201, and the mail to $1 arrived"
}

serves_the_admin() {
    # as the proxy that ends TLS says it
    curl -fsS -H 'X-Forwarded-Proto: https' "$url/admin/login/" >"$scratch/login"
    styles=$(sed -n 's/.*href="\(\/static\/admin\/css\/base[^"]*\)".*/\1/p' "$scratch/login" | head -n 1)
    [ -n "$styles" ] || fail "the admin's login names no style sheet"
    curl -fsS -o "$scratch/css" -w '%{content_type}' "$url$styles" | grep -q text/css || fail "$styles is no style sheet"
    say "the admin's static files are served: $styles"
}

finished() { # TASK
    curl -fsS "$url/api/v1/tasks/$1" -H "Authorization: Bearer $token" >"$scratch/task"
    case $(field status <"$scratch/task") in
        SUCCESS) ;;
        FAILURE) cat "$scratch/task"; fail "the import failed" ;;
        *) return 1 ;;
    esac
}
imports() {
    quietly compose exec -T web python manage.py create_user ops@example.com --name Ops --staff
    token=$(compose exec -T web python manage.py issue_token ops@example.com 2>/dev/null)
    { echo email,name; i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); echo "p$i@example.com,P"; done; } >"$scratch/people.csv"
    task=$(post /api/v1/users/import text/csv "@$scratch/people.csv" -H "Authorization: Bearer $token" | field task_id)
    within 60 "the import ends" finished "$task"
    [ "$(field created <"$scratch/task")" = 2000 ] || { cat "$scratch/task"; fail "not all were imported"; }
    say "an import of 2,000 runs"
}

shows_memory() {
    say "memory in use, of the limit:"
    docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' $(compose ps -q) | sed "s/^$name-/          /" | sort
}

stops() { # SERVICE...: all of them if none is named; each by itself, within its grace period
    asked=$(date +%s)
    quietly compose stop "$@"
    took=$(($(date +%s) - asked))
    say "stopped in $took s: ${*:-everything}"
    for container in $(compose ps -aq "$@"); do
        state=$(docker inspect -f '{{.Name}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.RestartCount}}' "$container")
        case $state in
            # 137 would be a SIGKILL at the end of the grace period; who had not begun yet ends by SIGTERM
            *" 0 false 0" | *" 143 false 0") ;;
            *) fail "ended badly (exit status, out of memory, restarts): $state" ;;
        esac
    done
}

stops_while_it_starts() {
    for pause in 0.2 0.6 1 1.5 2.5; do
        quietly compose start web relay worker-events beat
        sleep $pause
        stops web relay worker-events beat
    done
    say "stopped at five moments of their start"
}

keeps_its_data() {
    quietly compose up --wait --wait-timeout 300
    id=$(field id <"$scratch/user")
    token=$(post /api/v1/auth/token application/json '{"email":"ada@example.com","password":"correct horse battery"}' | field access)
    curl -fsS "$url/api/v1/users/$id" -H "Authorization: Bearer $token" | grep -q ada@example.com || fail "the user is gone"
    say "started again: the data is there, and the login works"
}

logs_are_lines() {
    for container in $(compose ps -aq $(compose config --services | grep -vx -e db -e valkey)); do
        docker logs "$container" >"$scratch/log" 2>&1
        ! grep -v '^{".*}$' "$scratch/log" || fail "these lines of $(docker inspect -f '{{.Name}}' "$container") are not JSON"
    done
    compose logs --no-color >"$scratch/logs"
    ! grep Traceback "$scratch/logs" || fail "there is a traceback in the log"
    say "$(wc -l <"$scratch/logs") lines of log, ours all JSON, no traceback"
}

targets_up() {
    curl -fsS "http://localhost:$PROMETHEUS_PORT/api/v1/query?query=sum(up)" | grep -q '"6"\]'
}
monitors() {
    image=$(sed -n 's/^ *image: \(prom\/.*\)/\1/p' docker-compose.yml)
    if ! docker image inspect "$image" >/dev/null 2>&1 && ! docker pull -q "$image" >/dev/null 2>&1; then
        say "monitoring: skipped, $image is not to be had"
        return
    fi
    quietly compose --profile monitoring up --wait --no-deps --pull never prometheus
    within 60 "Prometheus sees web, relay and four workers" targets_up
    rules=$(curl -fsS "http://localhost:$PROMETHEUS_PORT/api/v1/rules" | grep -o '"type":"alerting"' | wc -l)
    [ "$rules" -gt 0 ] || fail "Prometheus has no alerts"
    say "Prometheus sees all six, and has $rules alerts"
}

configuration_is_clean
starts
a_value_with_a_dollar_is_refused
registers ada@example.com
serves_the_admin
imports
sleep 5
shows_memory
monitors
stops
stops_while_it_starts
keeps_its_data
registers grace@example.com
stops web
stops
logs_are_lines
echo "all of it works"
