// The page's part of Generate on Cloud: which jobs this page watches, and when to ask for news of them.
(function () {
    "use strict";

    const TABS = ["txt2img", "img2img"];
    const EVERY = 1000; // milliseconds between two questions
    const LOST = 30000; // after so long without an answer the page asks again
    const DROPPED = 3000; // a click that gradio has not taken after so long is clicked again,
    const TRIES = 10; // so many times
    const asked = {};
    const sending = {}; // since when a click of this tab is on its way
    const taken = {}; // whether gradio has taken that click: it has called our goc_submit
    const waiting = {}; // clicks that came meanwhile
    const clicks = {}; // the id of the last click of this tab: one that is clicked again keeps it
    let insisting = false;

    function root() {
        return typeof gradioApp === "function" ? gradioApp() : document;
    }

    function press(id) {
        const found = root().querySelector("#" + id);
        const button = found && (found.tagName === "BUTTON" ? found : found.querySelector("button"));
        if (button) button.click();
        return Boolean(button);
    }

    function watched(tab) {
        try {
            return JSON.parse(sessionStorage.getItem("goc_watched_" + tab)) || [];
        } catch (error) {
            return [];
        }
    }

    function watch(tab, ids) {
        sessionStorage.setItem("goc_watched_" + tab, JSON.stringify(ids));
    }

    function clickId() {
        return "goc-" + Math.random().toString(36).slice(2);
    }

    // gradio sends the outputs along; what follows our last input must go, or gradio 4 misplaces every value after a State.
    function withPageValues(values, tab) {
        const given = Array.from(values);
        const result = given.slice(0, given.lastIndexOf("goc-end") + 1);
        result[0] = clicks[tab] || clickId(); // not the host's own kind of task
        if (tab === "img2img") result[1] = get_tab_index("mode_img2img");
        return result;
    }

    for (const tab of TABS) {
        window["goc_submit_" + tab] = function () {
            taken[tab] = true;
            return withPageValues(arguments, tab);
        };
        window["goc_watched_" + tab] = function () {
            return [JSON.stringify(watched(tab))];
        };
        window["goc_ask_" + tab] = function () {
            asked[tab] = Date.now();
            return [JSON.stringify(watched(tab))];
        };
        window["goc_news_" + tab] = function (text) {
            asked[tab] = 0;
            return window["goc_reply_" + tab](text);
        };
        window["goc_sent_" + tab] = function (text) {
            setTimeout(() => release(tab)); // gradio counts this event as running until we return
            return window["goc_reply_" + tab](text);
        };
        window["goc_reply_" + tab] = function (text) {
            let reply = {};
            try {
                reply = JSON.parse(text || "{}");
            } catch (error) {
                console.error("Generate on Cloud", error);
            }
            const drop = new Set(reply.drop || []);
            const ids = watched(tab).filter((id) => !drop.has(id));
            for (const id of reply.watch || []) {
                if (!ids.includes(id)) ids.push(id);
            }
            watch(tab, ids);
            return [""]; // empties the box: after an error gradio would have us read its old text again
        };
        window["goc_interrupt_" + tab] = function () {
            press("goc_stop_" + tab);
            return [];
        };
    }

    // gradio swallows a click while an earlier one is on its way: such a click waits here for its turn.
    function hold(event) {
        const tab = TABS.find((each) => event.target.closest("#goc_generate_" + each));
        if (!tab || insisting) return;
        if (sending[tab] && Date.now() - sending[tab] < LOST) {
            waiting[tab] = (waiting[tab] || 0) + 1;
            event.stopImmediatePropagation();
        } else {
            sending[tab] = Date.now();
            clicks[tab] = clickId();
            taken[tab] = false;
            insist(tab, sending[tab], TRIES);
        }
    }

    // gradio may not listen to the button yet, or still be busy with what other extensions do at a click.
    function insist(tab, since, tries) {
        setTimeout(() => {
            if (taken[tab] || sending[tab] !== since || !tries) return;
            insisting = true; // `hold` lets this click through
            press("goc_generate_" + tab);
            insisting = false;
            insist(tab, since, tries - 1);
        }, DROPPED);
    }

    function release(tab) {
        sending[tab] = 0;
        if (waiting[tab]) {
            waiting[tab] -= 1;
            press("goc_generate_" + tab);
        }
    }

    function ask() {
        for (const tab of TABS) {
            if (waiting[tab] && Date.now() - sending[tab] >= LOST) release(tab);
            const unanswered = asked[tab] && Date.now() - asked[tab] < LOST;
            if (watched(tab).length && !unanswered) press("goc_tick_" + tab);
        }
        if (root().querySelector("#goc_upload_progress [data-going]")) press("goc_tick_models");
    }

    // gradio may not listen yet when the host says that its page is there: the lists are asked for until they come.
    let tries = 0;
    function load() {
        const empty = TABS.filter((tab) => !root().querySelector("#goc_state_" + tab + " .goc-cards"));
        for (const tab of empty) press("goc_load_" + tab);
        tries += 1;
        if (empty.length && tries < 20) setTimeout(load, 3 * EVERY);
    }

    function begin() {
        root().addEventListener("click", hold, true);
        load();
        setInterval(ask, EVERY);
    }

    if (typeof onUiLoaded === "function") onUiLoaded(begin);
})();
