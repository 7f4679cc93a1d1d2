// A Sampler of two layers: what it makes of given symbols, and which it draws, against the
// reference's steps, and a probability's rule written out plainly.
#include <algorithm>
#include <cstdio>
#include <numeric>
#include <stdexcept>

#include "check.hpp"
#include "reference.hpp"
#include "sets.hpp"

namespace {

using namespace recurra;
using namespace reference;

constexpr Index T = 40, B = 7, depth = 2;
const Index never = 3;  // the id that is not drawn
const Filters all{&never, 1, 0.8, 0, 0}, few{&never, 1, 1.3, 9, 0.9};

struct Setting {
    Cell cell;
    Index V, E, H;
    bool table, int8;
};

// Rows of `matrix` at multiples of their largest magnitude ÷ 127, as runtime/int8.py has it.
void round_rows(Floats& matrix, Index columns) {
    for (auto row = matrix.begin(); row != matrix.end(); row += columns) {
        float largest = 0;
        for (Index k = 0; k < columns; ++k) largest = std::fmax(largest, std::fabs(row[k]));
        const float scale = largest / 127;
        for (Index k = 0; k < columns; ++k) row[k] = std::nearbyint(row[k] / scale) * scale;
    }
}

struct Layer {
    Floats ih, bias, hh, hn, bias_hn;
};

struct Model {
    Setting it;
    Floats table, embedding, projection, projection_bias;
    std::vector<Layer> layers;

    explicit Model(const Setting& setting) : it(setting) {
        Random random{std::mt19937_64(7)};
        const Index V = it.V, E = it.E, H = it.H, GH = gates_of(it.cell) * H;
        // A relu's state would grow without end.
        const double limit = (it.cell == Cell::relu_rnn ? 0.7 : 2) / std::sqrt((double)H);
        if (it.table) table = random.uniform(V * GH, 1);
        else embedding = random.uniform(V * E, 1);
        for (Index layer = 0; layer < depth; ++layer) {
            const Index I = layer ? H : E;
            Layer& one = layers.emplace_back();
            one.hh = random.uniform(recurrent_gates_of(it.cell) * H * H, limit);
            if (layer || !it.table) {
                one.ih = random.uniform(GH * I, limit);
                one.bias = random.uniform(GH, 1);
            }
            if (it.cell == Cell::gru_reset_before) one.hn = random.uniform(H * H, limit);
            if (it.cell == Cell::gru) one.bias_hn = random.uniform(H, 1);
            if (!it.int8) continue;
            round_rows(one.ih, I), round_rows(one.hh, H), round_rows(one.hn, H);
        }
        projection = random.uniform(V * H, 4 * limit);
        projection_bias = random.uniform(V, 1);
        if (it.int8) round_rows(projection, H);
    }

    std::unique_ptr<Sampler> packed() const {
        const auto some = [](const Floats& one) { return one.empty() ? nullptr : one.data(); };
        Network network{it.cell, it.V, it.E, it.H, some(table), some(embedding), {},
                        projection.data(), projection_bias.data(), it.int8};
        for (const Layer& one : layers)
            network.layers.push_back({some(one.ih), some(one.bias), one.hh.data(), some(one.hn),
                                      some(one.bias_hn)});
        return sampler(network);
    }

    Index fields() const { return it.cell == Cell::lstm ? 2 : 1; }
    Floats initial() const {
        Random random{std::mt19937_64(8)};
        return random.uniform(depth * fields() * B * it.H, 0.5);
    }
};

// A model's sequence b in float64.
struct Steps {
    const Model& model;
    std::vector<Weights> weights;
    std::vector<State> states;

    Steps(const Model& of, const Floats& initial, Index b) : model(of) {
        const Index H = of.it.H;
        for (Index layer = 0; layer < depth; ++layer) {
            const Layer& one = of.layers[layer];
            weights.push_back({wide(one.hh), wide(one.hn), wide(one.bias_hn)});
            const auto field = [&](Index f) {
                const auto at = initial.begin() + ((layer * of.fields() + f) * B + b) * H;
                return wide({at, at + H});
            };
            states.push_back({field(0), of.fields() == 2 ? field(1) : Numbers()});
        }
    }

    // ln p of every symbol after `id`.
    Numbers feed(Index id) {
        const Index V = model.it.V, E = model.it.E, GH = gates_of(model.it.cell) * model.it.H;
        Numbers input;
        const auto row = model.embedding.begin() + (model.it.table ? 0 : id * E);
        if (!model.it.table) input = wide({row, row + E});
        for (Index layer = 0; layer < depth; ++layer) {
            Numbers x;
            if (layer == 0 && model.it.table) {
                x = wide({model.table.begin() + id * GH, model.table.begin() + (id + 1) * GH});
            } else {
                x = product(wide(model.layers[layer].ih), GH, input);
                for (Index i = 0; i < GH; ++i) x[i] += model.layers[layer].bias[i];
            }
            step(model.it.cell, weights[layer], x.data(), states[layer]);
            input = states[layer].h;
        }
        Numbers logits = product(wide(model.projection), V, input);
        double total = 0;
        for (Index i = 0; i < V; ++i) total += std::exp(logits[i] += model.projection_bias[i]);
        for (double& one : logits) one -= std::log(total);
        return logits;
    }
};

// Whether `id` is what `uniform` draws: within `slack` of its part of the cumulative sum.
bool is_drawn(Numbers logits, const Filters& filters, double uniform, Index id, double slack) {
    const Index V = (Index)logits.size();
    for (double& one : logits) one /= filters.temperature;
    logits[never] = -HUGE_VAL;
    std::vector<Index> order((std::size_t)V);
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](Index a, Index b) { return logits[a] > logits[b]; });
    Numbers weight((std::size_t)V);
    double total = 0, held = 0, before = 0;
    const Index kept = filters.top_k ? std::min(filters.top_k, V) : V;
    for (Index i = 0; i < kept; ++i) total += weight[order[i]] = std::exp(logits[order[i]]);
    for (Index i = 0; i < kept; ++i) {
        if (filters.top_p != 0 && held >= filters.top_p * total) weight[order[i]] = 0;
        held += weight[order[i]];
    }
    for (Index i = 0; i < id; ++i) before += weight[i];
    return before - slack <= uniform * held && uniform * held <= before + weight[id] + slack;
}

int check_setting(const Setting& it) {
    const Model model(it);
    const auto packed = model.packed();
    Random random{std::mt19937_64(9)};
    // 16-bit numbers beside int8's move a probability by some 1e-5; float32's sums by less.
    const double slack = it.int8 ? 1e-3 : 3e-5;
    int failed = 0;
    for (const Filters* filters : {(const Filters*)nullptr, &all, &few}) {
        std::vector<Index> ids((std::size_t)((T + 1) * B));
        for (Index& id : ids) id = (Index)(random.engine() % (std::uint64_t)it.V);
        const Numbers uniforms = wide(random.uniform(T * B, 0.5));
        Numbers shifted = uniforms, nats((std::size_t)(T * B));
        for (double& one : shifted) one = std::fmin(one + 0.5, 0.999999);
        const Floats start = model.initial();
        Floats state = start;
        packed->run({T, B, ids.data(), state.data(), filters ? shifted.data() : nullptr, filters,
                     nats.data()});
        double worst = 0;
        Error of_state;
        int undrawn = 0;
        for (Index b = 0; b < B; ++b) {
            Steps steps(model, start, b);
            for (Index t = 0; t < T; ++t) {
                const Numbers logits = steps.feed(ids[t * B + b]);
                const Index next = ids[(t + 1) * B + b];
                worst = std::fmax(worst, std::fabs(nats[t * B + b] + logits[next]));
                if (!filters) continue;
                undrawn += !is_drawn(logits, *filters, shifted[t * B + b], next, slack);
            }
            for (Index layer = 0; layer < depth; ++layer)
                for (Index u = 0; u < it.H; ++u)
                    of_state.add(state[(layer * model.fields() * B + b) * it.H + u],
                                 steps.states[layer].h[u]);
        }
        // A top_p border that rounding crosses draws from one symbol more or less, a rarity.
        if (worst <= slack && of_state.relative() <= slack && undrawn <= (filters == &few))
            continue;
        std::fprintf(stderr,
                     "sampler %s V=%ld H=%ld%s%s: nats off by %.3g, state by %.3g, %d not drawn\n",
                     name_of(it.cell), (long)it.V, (long)it.H, it.table ? " table" : "",
                     it.int8 ? " int8" : "", worst, of_state.relative(), undrawn);
        ++failed;
    }
    return failed;
}

int check_refusal() {
    const Model model({Cell::rnn, 5, 4, 3, false, false});
    std::vector<Index> ids((std::size_t)(2 * B), 5);
    Floats state = model.initial();
    Numbers nats((std::size_t)B);
    try {
        model.packed()->run({1, B, ids.data(), state.data(), nullptr, nullptr, nats.data()});
    } catch (const std::out_of_range&) {
        return 0;
    }
    std::fprintf(stderr, "an id out of range was fed\n");
    return 1;
}

}  // namespace

int check::samplers() {
    int failed = check_refusal();
    for (const Cell cell : cells)
        for (const bool table : {true, false})
            for (const bool int8 : {false, true}) {
                failed += check_setting({cell, 37, 11, 21, table, int8});
                failed += check_setting({cell, 5, 3, 64, table, int8});
            }
    return failed;
}
